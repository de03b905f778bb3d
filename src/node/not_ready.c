// SPDX-License-Identifier: MIT
#include "node/not_ready.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *text_elsewhere(const struct not_ready *facts, size_t size, char *text)
{
	snprintf(text, size, "it listens on %s%s%s", facts->elsewhere,
		 facts->missing[0] ? ", and -l names " : "", facts->missing);
	if (facts->missing[0])
		return "name by -l the address that it listens on; the port that -l names is in "
		       "its environment as PORT";
	return "clients need a TCP port that they know: let the application call "
	       "listen(process.env.PORT || 3000); a UNIX path or port 0 is not enough";
}

/*
 * Describe a listen() that failed. The application may have handled the error silently, so that
 * nothing else names the reason.
 */
static const char *text_refused(const struct not_ready *facts, size_t size, char *text)
{
	snprintf(text, size, "its listen() on %s failed: %s", facts->refused,
		 strerror(-facts->refused_error));
	switch (facts->refused_error) {
	case -EADDRINUSE:
		return "stop what has the address (if it is another process, the line "
		       "listen_failed names it), or choose another port";
	case -EACCES:
		return "name the address on the command line by -l; a port below 1024 wants root "
		       "or "
		       "CAP_NET_BIND_SERVICE";
	default:
		return "let the application listen on an address of this host, as in "
		       "listen(process.env.PORT || 3000)";
	}
}

const char *not_ready_text(const struct not_ready *facts, size_t size, char *ret_text)
{
	if (!facts->is_online) {
		snprintf(ret_text, size, "no word from Node.js");
		return "name node itself as the command, not npm, npx, yarn or a shell, which does "
		       "not hand its channel on";
	}
	if (facts->is_of_module || (facts->listens && !facts->missing[0])) {
		snprintf(ret_text, size, "it has not said that it is ready");
		return "--ready=message waits for process.send('ready')";
	}
	if (facts->refused[0])
		return text_refused(facts, size, ret_text);
	if (facts->elsewhere[0])
		return text_elsewhere(facts, size, ret_text);
	if (facts->missing[0] && facts->listens) {
		snprintf(ret_text, size, "it does not listen on %s, which -l names",
			 facts->missing);
		return "every address that -l names must be listened on: leave out those that "
		       "are not";
	}
	snprintf(ret_text, size, "it has not called listen()");
	return "stickyctl does not see listen({exclusive: true}) and listen({reusePort: true}): "
	       "leave out these two; nor processes that the application starts by cluster.fork(); "
	       "a worker of @socket.io/sticky (setupWorker) must call listen() itself here, see "
	       "docs/migration.md; an application that needs longer to start needs a larger "
	       "--ready-timeout";
}
