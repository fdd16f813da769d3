/* A fixed-size message over a socket, with a descriptor when one is sent along (unix(7), SCM_RIGHTS). */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * As recvmsg(2), repeated on EINTR: bytes received, 0 at the end, -1 with errno. *fd is the descriptor that came, close-on-exec and the
 * caller's, or -1.
 */
ssize_t fd_message_receive(int socket_fd, void *data, size_t len, int flags, int *fd);
