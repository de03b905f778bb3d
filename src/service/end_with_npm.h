/* SPDX-License-Identifier: MIT */
#ifndef STICKY_SERVICE_END_WITH_NPM_H
#define STICKY_SERVICE_END_WITH_NPM_H

/*
 * npm, npx, pnpm and yarn run a command by `sh -c`, and pass SIGTERM on to that shell alone. It
 * ends, and does not tell its child. Where one of them has started us, the end of our parent is a
 * SIGTERM to us. Not for a daemon: its fork() takes this back.
 */
void end_with_npm(void);

#endif
