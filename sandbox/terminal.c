#include "sandbox/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void terminal_resize(struct terminal *t)
{
	struct winsize size;

	if (t->user_fd < 0 || ioctl(t->user_fd, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_row == t->rows && size.ws_col == t->columns)
		return;
	t->rows = size.ws_row;
	t->columns = size.ws_col;
	(void)ioctl(t->master, TIOCSWINSZ, &size);
}

void terminal_start(struct terminal *t, int master, int user_fd)
{
	struct termios raw;
	int flags = fcntl(master, F_GETFL);

	t->master = master;
	t->user_fd = user_fd;
	if (flags >= 0)
		(void)fcntl(master, F_SETFL, flags | O_NONBLOCK);
	terminal_resize(t);
	if (user_fd < 0 || tcgetattr(user_fd, &t->saved) < 0)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	t->raw = tcsetattr(user_fd, TCSANOW, &raw) == 0;
}

void terminal_end(struct terminal *t)
{
	if (t->raw)
		(void)tcsetattr(t->user_fd, TCSADRAIN, &t->saved);
	if (t->master >= 0)
		close(t->master);
	memset(t, 0, sizeof(*t));
	t->master = t->user_fd = -1;
}

short terminal_events(const struct terminal *t)
{
	return (short)(POLLIN | (t->n_pending > 0 ? POLLOUT : 0));
}

int terminal_input(const struct terminal *t)
{
	return t->master >= 0 && t->n_pending == 0 && !t->ended ? t->user_fd : -1;
}

void terminal_read(struct terminal *t)
{
	ssize_t n = read(t->user_fd, t->pending, sizeof(t->pending));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* The end of the input is Ctrl-D for a program at a terminal. */
		t->ended = true;
		t->pending[0] = 4;
		n = 1;
	}
	t->n_pending = (size_t)n;
	terminal_write(t);
}

void terminal_write(struct terminal *t)
{
	ssize_t n;

	if (t->master < 0 || t->n_pending == 0)
		return;
	n = write(t->master, t->pending, t->n_pending);
	if (n <= 0)
		return;
	t->n_pending -= (size_t)n;
	memmove(t->pending, t->pending + n, t->n_pending);
}
