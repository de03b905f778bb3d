// SPDX-License-Identifier: MIT
/*
 * An HTTP server in C++ with one thread for each slot.
 *
 *     server ADDRESS:PORT SLOTS        until SIGTERM
 *
 * After SIGTERM new clients are refused, and those that are there are served for up to DRAIN. A
 * thread that fails ends the server, with the error on stderr.
 */
#include "sticky.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using Clock = std::chrono::steady_clock;

constexpr int GRACE_MS = 100; /* how long a thread that ends waits for handshakes that have begun */
constexpr std::chrono::seconds DRAIN{5};  /* and for the requests of its clients, at most */
constexpr std::size_t CLIENTS_MAX = 1000; /* of a thread; a real server closes idle ones */

/* The connections of a thread, which are closed with it. */
class Connections
{
      public:
	~Connections()
	{
		while (size() > 0)
			remove(1);
	}

	std::size_t size() const
	{
		return polled.size() - 1;
	}

	/* Wait for something to come. Returns whether it did. */
	bool wait(int listening)
	{
		polled[0].fd = size() < CLIENTS_MAX ? listening : -1; /* -1: poll() skips it */
		return poll(polled.data(), polled.size(), GRACE_MS) > 0;
	}

	void serve(const sticky::Worker &worker)
	{
		for (std::size_t i = polled.size() - 1; i > 0; i--) {
			if (polled[i].revents) {
				answer(worker, polled[i].fd);
				remove(i);
			}
		}
		int fd = polled[0].revents ? accept4(polled[0].fd, nullptr, nullptr,
						     SOCK_CLOEXEC | SOCK_NONBLOCK)
					   : -1;
		if (fd >= 0)
			polled.push_back({fd, POLLIN, 0});
	}

      private:
	static void answer(const sticky::Worker &worker, int fd)
	{
		std::array<char, 4096> request;

		if (recv(fd, request.data(), request.size(), 0) <= 0)
			return;
		std::string text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=" +
				   std::to_string(worker.slot()) +
				   " gen=" + std::to_string(worker.generation()) + "\n";
		send(fd, text.data(), text.size(), MSG_NOSIGNAL);
	}

	void remove(std::size_t place)
	{
		close(polled[place].fd);
		polled[place] = polled.back();
		polled.pop_back();
	}

	std::vector<pollfd> polled{{-1, POLLIN, 0}}; /* the first is the listening socket */
};

/* Serve until the server ends, no client is open, and no more have come. */
static void serve(const sticky::Group &group, std::uint32_t slot, const std::atomic<bool> &ends)
{
	sticky::Worker worker(group, slot);
	Connections connections;
	auto end = Clock::time_point::max();

	fcntl(worker.fd(), F_SETFL, O_NONBLOCK);
	worker.ready();
	while (Clock::now() < end) {
		bool is_quiet = !connections.wait(worker.fd());

		connections.serve(worker);
		if (ends && end == Clock::time_point::max())
			end = Clock::now() + DRAIN;
		else if (ends && is_quiet && connections.size() == 0)
			return;
	}
}

/* The threads of a server. They are told to end, and waited for, wherever this object ends. */
class Threads
{
      public:
	explicit Threads(const sticky::Group &group)
	{
		try {
			for (std::uint32_t slot = 0; slot < group.slots(); slot++)
				threads.emplace_back([&group, slot, this] { run(group, slot); });
		} catch (...) {
			join();
			throw;
		}
	}

	~Threads()
	{
		join();
	}

	void join()
	{
		ends = true;
		for (auto &thread : threads)
			if (thread.joinable())
				thread.join();
	}

	bool have_failed() const
	{
		return failed;
	}

      private:
	/* An exception that leaves a thread would end the program at once: the main thread is told.
	 */
	void run(const sticky::Group &group, std::uint32_t slot)
	try {
		serve(group, slot, ends);
	} catch (const std::exception &error) {
		std::cerr << "slot " + std::to_string(slot) + ": " + error.what() + "\n";
		failed = true;
		kill(getpid(), SIGTERM);
	}

	std::atomic<bool> ends{false}, failed{false};
	std::vector<std::thread> threads;
};

int main(int count, char **arguments)
try {
	sigset_t set;
	int number;

	if (count != 3)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, nullptr);
	sticky::Group group(static_cast<std::uint32_t>(std::stoul(arguments[2])));
	group.listen(arguments[1]);
	Threads threads(group);
	std::cout << "ready" << std::endl;
	sigwait(&set, &number);
	group.refuse();
	threads.join();
	for (auto placements : group.placements())
		std::cout << placements << " ";
	std::cout << std::endl;
	return threads.have_failed() ? 1 : 0;
} catch (const std::exception &error) {
	std::cerr << error.what() << std::endl;
	return 1;
}
