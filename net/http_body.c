#include "net/http_body.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int64_t http_body_read(const struct http_request *req, int64_t at, char *buffer, size_t room,
		       struct error *err)
{
	int64_t left = req->body_len - at;
	ssize_t n = (ssize_t)room;

	if (left < n)
		n = (ssize_t)left;
	if (n <= 0)
		return 0;
	if (req->body) {
		memcpy(buffer, (const char *)req->body + at, (size_t)n);
	} else if (req->read_body) {
		n = (ssize_t)req->read_body(req->arg, at, buffer, (size_t)n, err);
		if (n <= 0)
			return n < 0 ? -1 : HTTP_BODY_LATER;
	} else {
		do {
			n = pread(req->body_fd, buffer, (size_t)n, req->body_offset + at);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_errno(err, "read what is to be sent");
		if (n == 0)
			return error_set(err, ERROR_CORRUPT,
					 "what is to be sent ends after %lld of %lld bytes",
					 (long long)at, (long long)req->body_len);
	}
	if (req->on_body && req->on_body(req->arg, at, buffer, (size_t)n, err) < 0)
		return -1;
	return n;
}
