/*
 * What the libraries tell while they work. Only cli/ prints: it implements
 * struct reporter. Every call may come from any thread, so an implementation
 * locks. A NULL reporter or a NULL member is silence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING };

enum step_status {
	STEP_STATUS_DONE,
	STEP_STATUS_CACHED,
	STEP_STATUS_FAILED,
	STEP_STATUS_CANCELLED
};

struct reporter {
	/* One line of text, no newline at the end; secrets are already redacted by the caller. */
	void (*log)(struct reporter *r, enum log_level level, const char *text);
	/*
	 * A step begins: returns its id (> 0). name as users read it: "[build 2/5] RUN make",
	 * "[internal] load .dockerignore", "pushing layer sha256:ab12..".
	 */
	int (*step_begin)(struct reporter *r, const char *name);
	/* Output of the step's process: bytes as they came, fd 1 or 2. */
	void (*step_output)(struct reporter *r, int id, int fd, const void *data, size_t len);
	/* Bytes moved so far; total < 0 when not known. */
	void (*step_progress)(struct reporter *r, int id, int64_t done, int64_t total);
	/* A sentence that belongs to the step (why it missed the cache, a retry and its reason). */
	void (*step_note)(struct reporter *r, int id, const char *text);
	void (*step_end)(struct reporter *r, int id, enum step_status status,
			 const struct error *err);
};

void report_log(struct reporter *r, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int report_step_begin(struct reporter *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void report_step_output(struct reporter *r, int id, int fd, const void *data, size_t len);
void report_step_progress(struct reporter *r, int id, int64_t done, int64_t total);
void report_step_note(struct reporter *r, int id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void report_step_end(struct reporter *r, int id, enum step_status status, const struct error *err);

/* Cancellation: set by a signal handler in cli/, read by http, pool and sandbox waits. */
struct cancel {
	volatile int signal; /* 0, or the first signal's number */
	volatile int count;  /* how many came: 2 means do not wait for anybody */
	int wake_fd;         /* becomes readable at the first signal; -1 when there is none */
	/*
	 * Work that is not worth more than a certain time has a struct of its own, with the wake_fd of its parent: it ends
	 * with the parent, or at deadline_ns (of time_monotonic_ns(); 0: none).
	 */
	const struct cancel *parent;
	int64_t deadline_ns;
};
/* Notes that a signal came (> 0); async-signal-safe. Waking the reader of wake_fd is the caller's part. */
void cancel_note(struct cancel *c, int signal);
/* For a program that asks what to do instead of ending: as if no signal had come. */
void cancel_forget(struct cancel *c);
bool cancel_requested(const struct cancel *c); /* by a signal; NULL: never */
/* ERROR_CANCELLED: "cancelled" when requested, "out of time" after the deadline. */
int cancel_check(const struct cancel *c, struct error *err);
/* Waits so many nanoseconds; ERROR_CANCELLED at a signal. */
int cancel_sleep(const struct cancel *c, int64_t ns, struct error *err);
/* Waits until fd can be read or has ended, at most ns nanoseconds (-1: without end). 1: it can; 0: the time is over; ERROR_CANCELLED at a signal. */
int cancel_poll(const struct cancel *c, int fd, int64_t ns, struct error *err);
