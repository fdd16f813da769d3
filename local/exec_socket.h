/*
 * Programs in containers of local tasks (slipway exec): a socket in the target's folder, for its owner alone. A client sends one packet, a
 * JSON object with its descriptors 0, 1 and 2 along; the program runs on these, and the answer comes when it has ended. With "tty" the first
 * is a socket that the container's terminal comes through (sandbox/run_control.h).
 *
 *	{"task": ID, "container": NAME or null, "command": ["sh", "-c", ".."], "environment": ["TERM=xterm"], "tty": true}
 *	{"status": 0}   or   {"error": "..", "status": 127}
 */
#pragma once

#include "base/json.h"
#include "local/runner.h"

#define EXEC_PACKET_LIMIT (128u << 10)

struct exec_socket;

/* FOLDER/exec.sock; one that a dead process left is replaced. */
int exec_socket_open(struct exec_socket **out, const char *folder, struct runner *runner,
		     struct error *err);
/* Takes nothing more, and waits for what runs: when the tasks were stopped that is nothing. */
void exec_socket_free(struct exec_socket *s);

/*
 * The client's side: sends the request with three descriptors. *fd is readable when the answer is there. ERROR_NOT_FOUND: no
 * target listens.
 */
int exec_socket_ask(const char *folder, const json_t *request, const int fds[3], int *fd,
		    struct error *err);
/* Reads the answer: *status is the program's. ERROR_STEP (err->status 126, 127) when it could not be started; else what kept it. */
int exec_socket_answer(int fd, int *status, struct error *err);

CLEANUP_FREE(exec_socket)
