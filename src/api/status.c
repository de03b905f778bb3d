// SPDX-License-Identifier: MIT
#include "api/status.h"

#include <string.h>
#include <unistd.h>

#include "api/exit_json.h"
#include "api/survey.h"
#include "common/clock.h"
#include "supervise/rolling_reload.h"
#include "supervise/shutdown.h"
#include "supervise/slot_socket.h"
#include "supervise/slot_view.h"

static json_t *pid_json(const struct slot_view *view)
{
	return view->has_worker && view->pid ? json_integer(view->pid) : json_null();
}

static json_t *hung_json(const struct slot_view *view)
{
	return view->has_worker ? json_integer((json_int_t)view->hung_ms) : json_null();
}

static json_t *not_ready_json(const struct slot_view *view)
{
	if (!view->not_ready_reason[0])
		return json_null();
	return json_pack("{s:s, s:s}", "why", view->not_ready_reason, "hint",
			 view->not_ready_hint ? view->not_ready_hint : "");
}

/* Returns where the worker listens instead of using its sockets; null: nowhere else. */
static json_t *not_used_json(const struct slot_view *view)
{
	return view->has_worker && view->listens_on[0]
		       ? json_pack("{s:s}", "listens_on", view->listens_on)
		       : json_null();
}

static json_t *slot_listen_json(const struct instance *instance, uint32_t slot)
{
	const char *form = instance->config->slot_listen;
	char address[SLOT_SOCKET_TEXT_SIZE];

	return form && !slot_socket_address(form, slot, address) ? json_string(address)
								 : json_null();
}

static json_t *worker_json(const struct instance *instance, const struct survey *survey,
			   uint32_t slot)
{
	const struct sticky_slot_info *info = &survey->infos[slot];
	const struct slot_view *view = &survey->views[slot];
	const struct run_usage *usage = &survey->usages[slot];

	return json_pack(
		"{s:i, s:o, s:I, s:s, s:I, s:I, s:i, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:s, s:s, "
		"s:b, s:i, s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"slot", (int)slot, "pid", pid_json(view), "generation",
		(json_int_t)(view->has_worker ? view->generation : info->generation), "state",
		slot_view_state(view), "uptime_ms", (json_int_t)view->uptime_ms, "restarts",
		(json_int_t)view->restarts, "buckets", (int)info->buckets, "steered",
		(json_int_t)info->steered, "handed",
		(json_int_t)instance->traffic->delivery.handed_of[slot], "connections",
		(int)usage->connections, "queue", (int)info->queue, "overflows",
		(json_int_t)info->overflows, "rss_bytes", (json_int_t)usage->rss_bytes, "cpu_ms",
		(json_int_t)usage->cpu_ms, "cwd", usage->cwd, "status", view->status, "holding",
		info->holding, "restart_in_ms", (int)view->restart_in_ms, "draining",
		(int)view->draining, "killed", (int)view->killed, "recycles",
		(json_int_t)view->recycles, "recycle_why",
		view->recycle_why ? json_string(view->recycle_why) : json_null(), "hung_ms",
		hung_json(view), "not_ready", not_ready_json(view), "sockets_not_used",
		not_used_json(view), "last_exit", exit_json(view, instance->ring, slot),
		"slot_listen", slot_listen_json(instance, slot));
}

static json_t *workers_json(const struct instance *instance, const struct survey *survey)
{
	json_t *workers = json_array();
	uint32_t slot;

	for (slot = 0; slot < survey->count; slot++)
		json_array_append_new(workers, worker_json(instance, survey, slot));
	return workers;
}

/* Returns the workers that leave or drain, slot by slot, the last one first. */
static json_t *draining_json(const struct survey *survey)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < survey->draining_count; i++) {
		const struct draining_view *view = &survey->draining[i];
		const struct run_usage *usage = &survey->draining_usages[i];

		json_array_append_new(list,
				      json_pack("{s:i, s:o, s:I, s:s, s:I, s:i, s:I}", "slot",
						(int)view->slot, "pid",
						view->pid ? json_integer(view->pid) : json_null(),
						"generation", (json_int_t)view->generation, "state",
						worker_state_name(view->state), "kill_in_ms",
						(json_int_t)view->kill_in_ms, "connections",
						(int)usage->connections, "rss_bytes",
						(json_int_t)usage->rss_bytes));
	}
	return list;
}

static json_t *listeners_json(struct sticky_group *group)
{
	json_t *listeners = json_array();
	char text[STICKY_ADDRESS_TEXT_SIZE];
	uint32_t i;

	for (i = 0; i < sticky_group_listener_count(group); i++)
		if (!sticky_group_listener_address(group, i, sizeof(text), text))
			json_array_append_new(listeners, json_string(text));
	return listeners;
}

/* The listeners on which nothing listens. */
static json_t *closed_json(const struct instance *instance)
{
	uint32_t closed = closed_listeners(instance->supervisor), i;
	json_t *all = listeners_json(instance->group), *list = json_array();

	for (i = 0; i < json_array_size(all); i++)
		if (closed & 1u << i)
			json_array_append(list, json_array_get(all, i));
	json_decref(all);
	return list;
}

/* Read a counter that the threads of the dispatchers increment. */
static uint64_t counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/*
 * Add the number of connections that the controller has accepted beside the dispatchers, and the
 * exits of exits.h.
 */
static void add_exits(json_t *json, const struct exit_counters *exits)
{
	const struct {
		const char *key;
		const uint64_t *counter;
	} added[] = {
		{"accepted_from_holding", &exits->accepted_from_holding},
		{"closed_by_stop", &exits->stop},
		{"no_memory", &exits->no_memory},
		{"controller_ended", &exits->controller_ended},
	};
	size_t i;

	for (i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		json_object_set_new(json, added[i].key,
				    json_integer((json_int_t)counted(added[i].counter)));
}

static json_t *counters_json(const struct instance *instance)
{
	const struct traffic *traffic = instance->traffic;
	struct sticky_counters counters = {.size = sizeof(counters)};
	json_t *json;

	if (sticky_group_counters(instance->group, &counters))
		return json_object();
	json = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"to_dispatchers", (json_int_t)counters.dispatched, "steered",
		(json_int_t)counters.steered, "empty_slot", (json_int_t)counters.empty_slot,
		"dropped", (json_int_t)counters.dropped, "migrated", (json_int_t)counters.migrated,
		"dispatched", (json_int_t)counted(&traffic->dispatch.accepted), "handed",
		(json_int_t)traffic->delivery.handed, "retried",
		(json_int_t)traffic->delivery.retried, "answered_502",
		(json_int_t)traffic->delivery.answered, "client_gone",
		(json_int_t)traffic->delivery.client_gone +
			(json_int_t)counted(&traffic->dispatch.client_gone),
		"bad_proxy_header", (json_int_t)counted(&traffic->dispatch.bad_header),
		"head_timeout", (json_int_t)counted(&traffic->dispatch.head_timeout),
		"head_too_long", (json_int_t)counted(&instance->heads->too_long), "proxy_keepalive",
		(json_int_t)counted(&traffic->proxy_keepalive), "pending_heads",
		(json_int_t)frontend_pending(instance->frontend));
	add_exits(json, instance->exits);
	return json;
}

static json_t *reload_json(const struct instance *instance)
{
	const struct reload *reload = rolling_reload_view(instance->supervisor);

	int slot = rolling_reload_waits_for(instance->supervisor);

	return json_pack("{s:s, s:i, s:i, s:o, s:o}", "state", reload_state_name(reload->state),
			 "done", (int)reload->done, "of", (int)reload->of, "error",
			 reload->error.text[0] ? json_string(reload->error.text) : json_null(),
			 "waits_for_slot", slot < 0 ? json_null() : json_integer(slot));
}

static json_t *upgrade_json(const struct instance *instance)
{
	const struct upgrade_state *upgrade = &instance->upgrade;
	bool has_failed = upgrade->error.text[0];

	return json_pack("{s:s, s:i, s:o, s:o}", "state",
			 upgrade->is_running ? "running"
			 : has_failed	     ? "failed"
					     : "idle",
			 "number", (int)upgrade->number, "error",
			 has_failed ? json_string(upgrade->error.text) : json_null(), "exit_code",
			 has_failed ? json_integer(upgrade->exit_code) : json_null());
}

/* Count the connections that wait in the kernel's queues and in the controller. */
static json_int_t count_held(const struct instance *instance, const struct survey *survey)
{
	json_int_t held = frontend_waiting(instance->frontend);
	uint32_t slot;

	for (slot = 0; slot < survey->count; slot++)
		held += survey->infos[slot].holding ? survey->infos[slot].queue : 0;
	return held;
}

static const char *instance_state(const struct instance *instance)
{
	if (shutdown_has_begun(instance->supervisor))
		return "stopping";
	return supervisor_has_started(instance->supervisor) ? "running" : "starting";
}

const char *status_behind_proxy(const struct instance *instance)
{
	static const char *const names[BEHIND_PROXY_COUNT] = {
		[BEHIND_NO_PROXY] = "no",
		[BEHIND_PROXY_XFF] = "xff",
		[BEHIND_PROXY_PROXY] = "proxy",
	};

	return names[instance->config->proxy.behind];
}

/*
 * Returns how much of the log and of the workers' output was dropped, as readers did not take it in
 * time.
 */
static json_t *output_lost_json(const struct instance *instance)
{
	struct line_losses losses = log_output_losses(instance->log_output);

	return json_pack("{s:I, s:I}", "lines", (json_int_t)losses.lines, "bytes",
			 (json_int_t)losses.bytes);
}

json_t *status_of_instance(const struct instance *instance)
{
	struct survey survey;
	json_t *json = NULL;

	if (survey_init(instance, &survey) == 0)
		json = json_pack(
			"{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:I, s:o, s:i, "
			"s:i, s:o, s:o, "
			"s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o}",
			"name", instance->config->name, "pid", (int)getpid(), "state",
			instance_state(instance), "version", sticky_version(), "started_at",
			instance->started_at, "steering", instance->steering, "steering_reason",
			instance->steering_reason, "steering_remedy", instance->steering_remedy,
			"counts_placements",
			(sticky_group_abilities(instance->group) & STICKY_CAN_COUNT) != 0,
			"passes_connections", instance->frontend != NULL, "behind_proxy",
			status_behind_proxy(instance), "uptime_ms",
			(json_int_t)(clock_ms() - instance->started_ms), "listeners",
			listeners_json(instance->group), "slots", (int)survey.count, "buckets",
			STICKY_BUCKET_COUNT, "seed_id",
			json_sprintf("%08x", sticky_group_seed_id(instance->group)), "reload",
			reload_json(instance), "upgrade", upgrade_json(instance), "held",
			count_held(instance, &survey), "counters", counters_json(instance),
			"workers", workers_json(instance, &survey), "draining",
			draining_json(&survey), "foreign_listeners",
			supervisor_foreign_listeners(instance->supervisor), "steering_restored",
			(json_int_t)supervisor_steering_restored(instance->supervisor),
			"output_lost", output_lost_json(instance));
	survey_fini(&survey);
	json_object_set_new(json, "closed_listeners", closed_json(instance));
	json_object_set_new(json, "admin",
			    instance->has_admin ? json_string(instance->config->admin)
						: json_null());
	return json;
}

json_t *status_for_admin(const struct instance *instance)
{
	struct instance shown = *instance;

	shown.ring = NULL;
	return status_of_instance(&shown);
}

json_t *status_of_client(const struct instance *instance, const char *text,
			 const struct sockaddr *client)
{
	struct sticky_where where = {.size = sizeof(where)};
	struct slot_view view;

	if (sticky_group_where(instance->group, client, &where))
		return NULL;
	slot_view_read(instance->supervisor, where.slot, &view);
	return json_pack("{s:s, s:s, s:i, s:i, s:o, s:s}", "address", text, "key", where.key,
			 "bucket", (int)where.bucket, "slot", (int)where.slot, "pid",
			 pid_json(&view), "state", slot_view_state(&view));
}
