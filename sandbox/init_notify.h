/*
 * System calls of the step that the filter hands over (seccomp_unotify(2)): each waits in the kernel until it is answered here, by the
 * first process of the step. An answer is a result, a descriptor that appears in the caller, or "as if nothing had been asked".
 *
 * What a caller points to is read from its memory. It may change it meanwhile, so that a call that goes on is none that was checked:
 * a filter and the kernel's own rules are what keeps a step inside, never these answers.
 */
#pragma once

#include "sandbox/init.h"

struct call {
	int listener;
	uint64_t id;
	pid_t pid; /* the thread that calls */
	int number;
	uint64_t args[6];
	bool answered;
};

/* Every call must be answered; one that was not goes on in the kernel. */
typedef void (*call_handler)(struct call *c);

/* Calls are handled by that, their callers looked up in procfd. */
void notify_begin(call_handler handler, int procfd);
/* What a child sends along with its listener goes there. */
void notify_greet(void (*greet)(pid_t child, const void *data, size_t len));
/* A pair of sockets for notify_load() in a child and notify_take() here. */
void notify_prepare(void);
/* In the child, with no_new_privs set: loads the filter, or plain where there can be no listener. Is there one? */
bool notify_load(const struct orders *o, const void *data, size_t len);
/* The listener of the child that was just started; nothing when it has none. At most NOTIFY_DATA bytes come with it. */
#define NOTIFY_DATA 8192
void notify_take(pid_t child);
/* Descriptors to poll for reading, at most n of them; the number there are. */
#define NOTIFY_MAX 65
size_t notify_fds(int fds[NOTIFY_MAX]);
/* One call of that listener. */
void notify_serve(int listener);
/* Answers until fd can be read. */
void notify_await(int fd);

void call_result(struct call *c, int64_t value);
void call_error(struct call *c, int number);
/* The descriptor becomes the caller's, as the result. */
void call_give(struct call *c, int fd, bool cloexec);
void call_continue(struct call *c);
/* Of the caller's memory, up to size bytes with the end; false when it cannot be read, or is longer. */
bool call_read_path(struct call *c, uint64_t address, char *out, size_t size);
bool call_read(struct call *c, uint64_t address, void *out, size_t len);
bool call_write(struct call *c, uint64_t address, const void *data, size_t len);
/* "PID/name" in procfd. */
void call_proc_name(const struct call *c, const char *name, char out[INIT_PATH]);
/* The process that the thread belongs to. */
pid_t call_process(const struct call *c);
mode_t call_umask(const struct call *c);
/* Takes the caller's user and group for what this process does with files, until call_act_end(). */
void call_act(const struct call *c);
void call_act_end(void);
int notify_procfd(void);
