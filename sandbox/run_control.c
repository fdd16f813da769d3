#include "sandbox/run_control.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "base/time.h"
#include "sandbox/launch.h"
#include "sandbox/order_block.h"

enum program_state { PROGRAM_ASKED, PROGRAM_SENT, PROGRAM_DONE };

/* One program: belongs to the thread that waits for it. */
struct program {
	struct program *next;
	enum program_state state;
	uint32_t id;
	int fds[EXEC_FDS]; /* orders, then descriptors 0, 1, 2 */
	int status, result;
	struct error err;
};

struct run_control {
	int wake_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t signals; /* asked: bit sig - 1 */
	bool kill, ended;
	uint32_t last_id;
	struct program *programs;
	uint32_t *given_up; /* ids of programs to be killed */
	size_t n_given_up, cap_given_up;
};

int run_control_open(struct run_control **out, struct error *err)
{
	struct run_control *c;
	pthread_condattr_t clock;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return error_errno(err, "prepare to control a step");
	c = xcalloc(1, sizeof(*c));
	c->wake_fd = fd;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &clock);
	pthread_condattr_destroy(&clock);
	*out = c;
	return 0;
}

void run_control_free(struct run_control *c)
{
	if (!c)
		return;
	close(c->wake_fd);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->given_up);
	free(c);
}

static void wake(struct run_control *c)
{
	const uint64_t one = 1;

	(void)!write(c->wake_fd, &one, sizeof(one));
}

void run_control_signal(struct run_control *c, int sig)
{
	pthread_mutex_lock(&c->lock);
	c->signals |= 1ull << (sig - 1);
	pthread_mutex_unlock(&c->lock);
	wake(c);
}

void run_control_kill(struct run_control *c)
{
	pthread_mutex_lock(&c->lock);
	c->kill = true;
	pthread_mutex_unlock(&c->lock);
	wake(c);
}

int run_control_fd(const struct run_control *c)
{
	return c->wake_fd;
}

static bool send_program(int control_fd, const struct program *p)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(p->fds))];
	} space;
	struct request q = {.kind = REQUEST_EXEC, .id = p->id};
	struct iovec iov = {.iov_base = &q, .iov_len = sizeof(q)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space.bytes,
			     .msg_controllen = sizeof(space.bytes)};
	struct cmsghdr *head;

	memset(&space, 0, sizeof(space));
	head = CMSG_FIRSTHDR(&msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(p->fds));
	memcpy(CMSG_DATA(head), p->fds, sizeof(p->fds));
	return sendmsg(control_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(q);
}

/* With the lock held. */
static void finish(struct run_control *c, struct program *p, int result, int status)
{
	p->state = PROGRAM_DONE;
	p->result = result;
	p->status = status;
	pthread_cond_broadcast(&c->changed);
}

static void send_programs(struct run_control *c, int control_fd)
{
	for (struct program *p = c->programs; p; p = p->next) {
		if (p->state != PROGRAM_ASKED)
			continue;
		p->state = PROGRAM_SENT;
		if (!send_program(control_fd, p))
			finish(c, p, error_errno(&p->err, "start a program in the container"), 0);
	}
	for (size_t i = 0; i < c->n_given_up; i++)
		launch_request(control_fd, REQUEST_END_EXEC, c->given_up[i]);
	c->n_given_up = 0;
}

bool run_control_serve(struct run_control *c, const struct launch *l, bool started)
{
	uint64_t count;
	bool killed;

	(void)!read(c->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&c->lock);
	killed = c->kill;
	for (int sig = 1; started && c->signals && sig <= 64; sig++)
		if (c->signals & (1ull << (sig - 1)))
			launch_request(l->control_fd, REQUEST_SIGNAL_COMMAND, (uint32_t)sig);
	if (started) {
		c->signals = 0;
		send_programs(c, l->control_fd);
	}
	pthread_mutex_unlock(&c->lock);
	return killed;
}

void run_control_report(struct run_control *c, const struct report *r)
{
	pthread_mutex_lock(&c->lock);
	for (struct program *p = c->programs; p; p = p->next) {
		if (p->id != (uint32_t)r->value || p->state == PROGRAM_DONE)
			continue;
		if (r->kind == REPORT_EXECUTED)
			finish(c, p, 0, r->number);
		else
			finish(c, p, launch_failed(r, &p->err), 0);
	}
	pthread_mutex_unlock(&c->lock);
}

void run_control_end(struct run_control *c)
{
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void unlink_program(struct run_control *c, const struct program *gone)
{
	for (struct program **at = &c->programs; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			return;
		}
}

static int give_up(struct run_control *c, const struct program *p, struct error *err)
{
	if (p->state == PROGRAM_SENT) {
		GROW(c->given_up, c->n_given_up + 1, c->cap_given_up);
		c->given_up[c->n_given_up++] = p->id;
		wake(c);
	}
	errno = ETIMEDOUT;
	return error_errno(err, "run a program in the container");
}

/* With the lock held, which pthread_cond_timedwait() gives away. */
static int await(struct run_control *c, struct program *p, int timeout_ms, struct error *err)
{
	int64_t until = time_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

	while (p->state != PROGRAM_DONE && !c->ended) {
		if (timeout_ms < 0)
			pthread_cond_wait(&c->changed, &c->lock);
		else if (pthread_cond_timedwait(&c->changed, &c->lock, &at) == ETIMEDOUT &&
			 p->state != PROGRAM_DONE)
			return give_up(c, p, err);
	}
	if (p->state != PROGRAM_DONE)
		return error_set(err, ERROR_CANCELLED,
				 "run a program in the container: it has ended");
	return p->result < 0 ? error_move(err, &p->err) : 0;
}

static int make_orders(const struct run_program *p, int *fd, struct error *err)
{
	AUTO(order_block) orders = ORDER_BLOCK_INIT;

	order_u32(&orders, ORDER_FLAGS, p->tty ? FLAG_TTY : 0);
	order_strings(&orders, ORDER_ARG, p->argv);
	order_strings(&orders, ORDER_ENV, p->env);
	order_str(&orders, ORDER_CWD, p->cwd && *p->cwd ? p->cwd : "/");
	order_str(&orders, ORDER_USER, p->user ? p->user : "");
	return order_finish(&orders, fd, err);
}

static void program_free(struct program *p)
{
	if (p)
		error_release(&p->err);
	free(p);
}
CLEANUP_FREE(program)

int run_control_exec(struct run_control *c, const struct run_program *p, int *status,
		     struct error *err)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC), orders = -1;
	AUTO_PTR(program) own = xcalloc(1, sizeof(*own));
	int result;

	if (null < 0)
		return error_errno(err, "open /dev/null");
	if (!p->argv || !p->argv[0])
		return error_set(err, ERROR_USAGE, "there is no command to run");
	if (make_orders(p, &orders, err) < 0)
		return -1;
	own->fds[0] = orders;
	own->fds[1] = p->stdin_fd >= 0 ? p->stdin_fd : null;
	own->fds[2] = p->stdout_fd >= 0 ? p->stdout_fd : null;
	own->fds[3] = p->stderr_fd >= 0 ? p->stderr_fd : null;
	pthread_mutex_lock(&c->lock);
	own->id = ++c->last_id;
	own->next = c->programs;
	c->programs = own;
	wake(c);
	result = await(c, own, p->timeout_ms, err);
	unlink_program(c, own);
	pthread_mutex_unlock(&c->lock);
	if (result == 0)
		*status = own->status;
	return result;
}
