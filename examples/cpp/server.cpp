// SPDX-License-Identifier: MIT
/*
 * An HTTP server in C++ with one thread for each slot.
 *
 *     server ADDRESS:PORT SLOTS        until SIGTERM
 */
#include "sticky.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <iostream>
#include <thread>

#include <poll.h>
#include <unistd.h>

static void answer(const sticky::Worker &worker)
{
	int fd = accept4(worker.fd(), nullptr, nullptr, SOCK_CLOEXEC);
	std::array<char, 4096> request;

	if (fd < 0)
		return;
	if (recv(fd, request.data(), request.size(), 0) > 0) {
		std::string text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=" +
				   std::to_string(worker.slot()) +
				   " gen=" + std::to_string(worker.generation()) + "\n";

		send(fd, text.data(), text.size(), MSG_NOSIGNAL);
	}
	close(fd);
}

/* Serve until the server ends and nothing has come for a while. */
static void serve(sticky::Group &group, std::uint32_t slot, const std::atomic<bool> &ends)
{
	sticky::Worker worker(group, slot);
	pollfd polled{worker.fd(), POLLIN, 0};

	worker.ready();
	for (;;) {
		int count = poll(&polled, 1, 100);

		if (count > 0)
			answer(worker);
		else if (ends)
			return;
	}
}

int main(int count, char **arguments)
try {
	std::atomic<bool> ends{false};
	std::vector<std::thread> threads;
	sigset_t set;
	int number;

	if (count != 3)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, nullptr);
	sticky::Group group(static_cast<std::uint32_t>(std::stoul(arguments[2])));
	group.listen(arguments[1]);
	for (std::uint32_t slot = 0; slot < group.slots(); slot++)
		threads.emplace_back(serve, std::ref(group), slot, std::cref(ends));
	std::cout << "ready" << std::endl;
	sigwait(&set, &number);
	group.refuse();
	ends = true;
	for (auto &thread : threads)
		thread.join();
	for (auto placements : group.placements())
		std::cout << placements << " ";
	std::cout << std::endl;
} catch (const std::exception &error) {
	std::cerr << error.what() << std::endl;
	return 1;
}
