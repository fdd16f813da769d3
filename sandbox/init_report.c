#include "sandbox/init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int control = -1;

void report_to(int control_fd)
{
	control = control_fd;
}

/* A lost report has no other place to go to: slipway sees the socket close and says so. */
static void send_report(struct report *r, int fd)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = r, .iov_len = sizeof(*r)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(space, 0, sizeof(space));
		msg.msg_control = space;
		msg.msg_controllen = sizeof(space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (control >= 0)
		(void)!sendmsg(control, &msg, MSG_NOSIGNAL);
}

void fail(enum stage stage, int number, const char *fmt, ...)
{
	struct report r;
	va_list ap;

	memset(&r, 0, sizeof(r));
	r.kind = REPORT_FAILED;
	r.stage = stage;
	r.number = number;
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	send_report(&r, -1);
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

void report_fd(enum report_kind kind, int value, int fd)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	r.value = value;
	send_report(&r, fd);
}
