/* SPDX-License-Identifier: MIT */
#ifndef STICKY_SERVICE_END_WITH_NPM_H
#define STICKY_SERVICE_END_WITH_NPM_H

/*
 * End this process by SIGTERM when its parent ends, if npm, npx, pnpm or yarn has started it. They
 * run a command by `sh -c`, and send SIGTERM to that shell alone. The shell ends without telling
 * its child. This has no effect on a daemon: its fork() takes the setting back.
 */
void end_with_npm(void);

#endif
