// SPDX-License-Identifier: MIT
export default function Page() {
  return <p>This page was rendered.</p>;
}
