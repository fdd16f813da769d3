#include "sandbox/init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int control = -1;
static uint32_t program; /* 0: it is the step itself that fails */

void report_to(int control_fd)
{
	control = control_fd;
}

void report_of_program(uint32_t id)
{
	program = id;
}

int send_with_fd(int socket_fd, const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} space;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&space, 0, sizeof(space));
		msg.msg_control = space.bytes;
		msg.msg_controllen = sizeof(space.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket_fd, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

/* A lost report has no other place to go to: slipway sees the socket close and says so. */
static void send_report(const struct report *r, int fd)
{
	if (control >= 0)
		(void)send_with_fd(control, r, sizeof(*r), fd);
}

void tell_failure(enum stage stage, int number, const char *text)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = program ? REPORT_NOT_EXECUTED : REPORT_FAILED;
	r.value = (int32_t)program;
	r.stage = stage;
	r.number = number;
	snprintf(r.text, sizeof(r.text), "%s", text);
	send_report(&r, -1);
}

void fail(enum stage stage, int number, const char *fmt, ...)
{
	char text[1008];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell_failure(stage, number, text);
	_exit(125);
}

void warn(const char *fmt, ...)
{
	struct report r;
	va_list ap;

	memset(&r, 0, sizeof(r));
	r.kind = REPORT_WARNING;
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	send_report(&r, -1);
}

void report_value(enum report_kind kind, int value)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	r.value = value;
	send_report(&r, -1);
}

void report_program(uint32_t id, int status)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = REPORT_EXECUTED;
	r.value = (int32_t)id;
	r.number = status;
	send_report(&r, -1);
}

void report_text(enum report_kind kind, const char *text)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	snprintf(r.text, sizeof(r.text), "%s", text);
	send_report(&r, -1);
}

void report_fd(enum report_kind kind, int value, int fd)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	r.value = value;
	send_report(&r, fd);
}
