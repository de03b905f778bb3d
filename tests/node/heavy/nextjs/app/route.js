// SPDX-License-Identifier: MIT
// Who answers whom. Next.js sets X-Forwarded-For to the socket's remote address.
export const dynamic = 'force-dynamic';

export function GET(request) {
  const client = request.headers.get('x-forwarded-for').replace('::ffff:', '');
  return new Response(`slot=${process.env.STICKY_SLOT} gen=${process.env.STICKY_GENERATION} ` +
                      `pid=${process.pid} client=${client} \n`);
}
