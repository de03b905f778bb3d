// SPDX-License-Identifier: MIT
/*
 * libsticky for C++17: objects that close themselves, and exceptions in the place of error numbers.
 * Copy this header into your program, it is an example.
 *
 *     sticky::Group group(4);
 *     group.listen("127.0.0.1:8080");
 *     sticky::Worker worker(group, 0);
 *     worker.ready();
 *     accept4(worker.fd(), ...);
 *
 * Each worker keeps the group open: it is closed when the Group object and all its Workers are
 * gone. Objects can be moved, and not copied.
 */
#ifndef STICKY_HPP
#define STICKY_HPP

#include <sticky.h>

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace sticky
{

/* what() has the cause and the remedy, code() the number. */
class Error : public std::system_error
{
      public:
	Error(int error, const std::string &what)
	    : std::system_error(-error, std::generic_category(),
				what + ": " + sticky_strerror(error))
	{
	}
};

/* A result of the library: the value if it is not negative. */
inline int check(int result, const char *what)
{
	if (result < 0)
		throw Error(result, what);
	return result;
}

class Group
{
      public:
	explicit Group(std::uint32_t slots)
	{
		sticky_group_options options{};

		options.size = sizeof(options);
		options.slots = slots;
		open(options);
	}

	explicit Group(const sticky_group_options &options)
	{
		open(options);
	}

	int listen(const std::string &address)
	{
		return check(sticky_group_listen(get(), address.c_str()), "sticky_group_listen");
	}

	int set_slots(std::uint32_t slots)
	{
		return check(sticky_group_set_slots(get(), slots), "sticky_group_set_slots");
	}

	void refuse()
	{
		check(sticky_group_refuse(get()), "sticky_group_refuse");
	}

	std::uint32_t slots() const
	{
		return sticky_group_slots(get());
	}

	std::uint32_t slot_of(const sockaddr *client) const
	{
		return static_cast<std::uint32_t>(
			check(sticky_group_slot_of(get(), client), "sticky_group_slot_of"));
	}

	/* Placements in each slot since the group was opened. */
	std::vector<std::uint64_t> placements() const
	{
		std::vector<std::uint64_t> result(slots());
		sticky_counters counters{};

		counters.size = sizeof(counters);
		check(sticky_group_statistics(get(), &counters,
					      static_cast<std::uint32_t>(result.size()),
					      result.data()),
		      "sticky_group_statistics");
		return result;
	}

	sticky_group *get() const
	{
		return group.get();
	}

	Group(Group &&) = default;
	Group &operator=(Group &&) = default;

      private:
	friend class Worker;

	void open(const sticky_group_options &options)
	{
		sticky_group *opened = nullptr;

		check(sticky_group_open(&options, &opened), "sticky_group_open");
		group.reset(opened, sticky_group_close);
	}

	std::shared_ptr<sticky_group> group;
};

class Worker
{
      public:
	Worker(const Group &group, std::uint32_t slot)
	{
		sticky_worker *opened = nullptr;

		check(sticky_worker_open(group.get(), slot, &opened), "sticky_worker_open");
		worker = {opened, Close{group.group}};
	}

	void ready()
	{
		check(sticky_worker_ready(get()), "sticky_worker_ready");
	}

	void leave()
	{
		check(sticky_worker_leave(get()), "sticky_worker_leave");
	}

	int fd(std::uint32_t listener = 0) const
	{
		return check(sticky_worker_fd(get(), listener), "sticky_worker_fd");
	}

	std::uint32_t slot() const
	{
		return sticky_worker_slot(get());
	}

	std::uint64_t generation() const
	{
		return sticky_worker_generation(get());
	}

	sticky_worker *get() const
	{
		return worker.get();
	}

      private:
	struct Close {
		std::shared_ptr<sticky_group> group; /* is closed after the worker, if at all */

		void operator()(sticky_worker *worker) const
		{
			sticky_worker_close(worker);
		}
	};

	std::unique_ptr<sticky_worker, Close> worker;
};

} // namespace sticky

#endif
