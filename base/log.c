#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/time.h"

void report_log(struct reporter *r, enum log_level level, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;

	if (!r || !r->log)
		return;
	va_start(ap, fmt);
	text = xstrvfmt(fmt, ap);
	va_end(ap);
	r->log(r, level, text);
}

int report_step_begin(struct reporter *r, const char *fmt, ...)
{
	AUTO_FREE char *name = NULL;
	va_list ap;

	if (!r || !r->step_begin)
		return 0;
	va_start(ap, fmt);
	name = xstrvfmt(fmt, ap);
	va_end(ap);
	return r->step_begin(r, name);
}

void report_step_output(struct reporter *r, int id, int fd, const void *data, size_t len)
{
	if (r && r->step_output)
		r->step_output(r, id, fd, data, len);
}

void report_step_progress(struct reporter *r, int id, int64_t done, int64_t total)
{
	if (r && r->step_progress)
		r->step_progress(r, id, done, total);
}

void report_step_note(struct reporter *r, int id, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;

	if (!r || !r->step_note)
		return;
	va_start(ap, fmt);
	text = xstrvfmt(fmt, ap);
	va_end(ap);
	r->step_note(r, id, text);
}

void report_step_end(struct reporter *r, int id, enum step_status status, const struct error *err)
{
	if (r && r->step_end)
		r->step_end(r, id, status, err);
}

/* Atomic, because the handler runs on one thread and all others look. */
void cancel_note(struct cancel *c, int signal)
{
	if (__atomic_fetch_add(&c->count, 1, __ATOMIC_RELAXED) == 0)
		__atomic_store_n(&c->signal, signal, __ATOMIC_RELEASE);
}

void cancel_forget(struct cancel *c)
{
	char drop[16];

	while (c->wake_fd >= 0 && read(c->wake_fd, drop, sizeof(drop)) > 0)
		continue;
	__atomic_store_n(&c->signal, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&c->count, 0, __ATOMIC_RELAXED);
}

bool cancel_requested(const struct cancel *c)
{
	for (; c; c = c->parent)
		if (__atomic_load_n(&c->signal, __ATOMIC_ACQUIRE) != 0)
			return true;
	return false;
}

int cancel_check(const struct cancel *c, struct error *err)
{
	if (cancel_requested(c))
		return error_set(err, ERROR_CANCELLED, "cancelled");
	for (; c; c = c->parent)
		if (c->deadline_ns && time_monotonic_ns() > c->deadline_ns)
			return error_set(err, ERROR_CANCELLED, "out of time");
	return 0;
}

/* Without a descriptor to wake us, or with a deadline, we look ten times a second. */
static int poll_ms(const struct cancel *c, int64_t left)
{
	int64_t ms = left / 1000000 + (left % 1000000 > 0);
	int64_t most = !c || (c->wake_fd >= 0 && !c->deadline_ns) ? 60000 : 100;

	return ms > most ? (int)most : (int)ms;
}

int cancel_poll(const struct cancel *c, int fd, int64_t ns, struct error *err)
{
	int64_t until = ns < 0 ? INT64_MAX : time_monotonic_ns() + ns;

	for (;;) {
		int64_t left = until - time_monotonic_ns();
		struct pollfd p[] = {{.fd = fd, .events = POLLIN},
				     {.fd = c ? c->wake_fd : -1, .events = POLLIN}};

		if (cancel_check(c, err) < 0)
			return -1;
		if (poll(p, 2, left > 0 ? poll_ms(c, left) : 0) < 0 && errno != EINTR)
			return error_errno(err, "wait for a descriptor");
		if (p[0].revents)
			return 1;
		if (left <= 0)
			return 0;
	}
}

int cancel_sleep(const struct cancel *c, int64_t ns, struct error *err)
{
	return cancel_poll(c, -1, ns > 0 ? ns : 0, err);
}
