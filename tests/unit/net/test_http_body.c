#include "tests/unit/net/http_fixture.h"

/* Request bodies: streamed, announced, held back, never sent twice unasked. */

struct pieces {
	int64_t next;
	bool refuse_end;
	struct strbuf text;
};

static int on_body(void *arg, int64_t offset, const void *data, size_t len, struct error *err)
{
	struct pieces *p = arg;

	assert_int_equal(offset, p->next);
	p->next = offset + (int64_t)len;
	strbuf_add(&p->text, data, len);
	if (p->refuse_end && p->next == 3000000)
		return error_set(err, ERROR_CORRUPT, "the last piece is wrong");
	return 0;
}

static void make_upload(struct http_request *req, struct pieces *p)
{
	char *bytes = xmalloc(3000004);
	int fd;

	for (size_t i = 0; i < 3000004; i++)
		bytes[i] = (char)('a' + i % 23);
	fd = openat(scratch_fd, "body", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_ok(fs_write_all(fd, bytes, 3000004, "body", err));
	free(bytes);
	strbuf_init(&p->text);
	req->body_fd = fd;
	req->body_offset = 4;
	req->body_len = 3000000;
	req->on_body = on_body;
	req->arg = p;
}

static void test_upload(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *session = NULL;
	AUTO_FREE char *url = NULL;
	AUTO_FREE char *expect = NULL;
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *length = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "POST", .url = NULL, .body_len = 0};
	struct pieces p = {0};

	(void)state;
	url = xstrfmt("%s/v2/a/blobs/uploads/", plain.url);
	req.url = url;
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 202);
	session = xstrfmt("%s%s", plain.url, http_header_get(&res, "Location", 0));
	req.method = "PATCH";
	req.url = session;
	make_upload(&req, &p);
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 202);
	assert_string_equal(http_header_get(&res, "Range", 0), "0-2999999");
	assert_int_equal(p.text.len, 3000000);
	assert_int_equal(p.text.buf[0], 'a' + 4);
	/* More than 1 MiB asks before it sends; what has no type is not called a web form. */
	expect = fake_seen(&plain, "PATCH", ".", 0, "Expect");
	assert_string_equal(expect, "100-continue");
	type = fake_seen(&plain, "PATCH", ".", 0, "Content-Type");
	assert_null(type);
	length = fake_seen(&plain, "POST", ".", 0, "Content-Length");
	assert_string_equal(length, "0");
	close(req.body_fd);
	strbuf_release(&p.text);
}

/* A body that may have arrived is not sent a second time by itself. */
static void test_no_second_sending(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "PUT", .url = url, .body = "abc", .body_len = 3};

	(void)state;
	/* On a connection that is known to work. */
	assert_ok(http_send(h, &req, &res, err));
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 201, \"reset_after\": true}");
	assert_error(http_send(h, &req, &res, err), ERROR_NETWORK, plain.host);
	assert_int_equal(fake_count(&plain, "PUT", "^/x"), 2);
}

static void test_expectation_refused(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO_FREE char *expect = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "PUT", .url = url};
	struct pieces p = {0};

	(void)state;
	fake_rule(&plain, "{\"path\": \"^/x\", \"expect\": 417}");
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 201}");
	make_upload(&req, &p);
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 201);
	assert_int_equal(fake_count(&plain, "PUT", "^/x"), 2);
	expect = fake_seen(&plain, "PUT", "^/x", 1, "Expect");
	assert_null(expect);
	close(req.body_fd);
	strbuf_release(&p.text);
}

/* The callback sees the last piece before it is sent: the server never has all of the body. */
static void test_body_held_back(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/v2/a/blobs/uploads/", plain.url);
	AUTO_FREE char *session = NULL;
	AUTO_FREE char *arrived = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "POST", .url = url, .body_len = 0};
	struct pieces p = {.refuse_end = true};

	(void)state;
	assert_ok(http_send(h, &req, &res, err));
	session = xstrfmt("%s%s", plain.url, http_header_get(&res, "Location", 0));
	req.url = session;
	req.method = "PUT";
	make_upload(&req, &p);
	assert_error(http_send(h, &req, &res, err), ERROR_CORRUPT, "the last piece is wrong");
	for (int i = 0; i < 1000 && !(arrived = fake_seen(&plain, "PUT", ".", 0, "body")); i++)
		usleep(20000);
	assert_non_null(arrived);
	assert_true(atol(arrived) < 3000000);
	close(req.body_fd);
	strbuf_release(&p.text);
}

static void test_short_body(void **state)
{
	static const struct http_options NONE;
	AUTO_PTR(http) h = client(&NONE);
	AUTO_FREE char *url = xstrfmt("%s/v2/a/blobs/uploads/", plain.url);
	AUTO_FREE char *session = NULL;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "POST", .url = url, .body_len = 0};
	struct pieces p = {0};

	(void)state;
	assert_ok(http_send(h, &req, &res, err));
	session = xstrfmt("%s%s", plain.url, http_header_get(&res, "Location", 0));
	req.url = session;
	req.method = "PUT";
	make_upload(&req, &p);
	req.body_offset = 10;
	assert_error(http_send(h, &req, &res, err), ERROR_CORRUPT, "ends after 2999994 of 3000000");
	close(req.body_fd);
	strbuf_release(&p.text);
}

/* A body whose bytes come with pauses. */
struct slow {
	int pauses;  /* left */
	int64_t end; /* where the pauses are made */
	bool stop;
};

static int64_t read_slowly(void *arg, int64_t offset, void *buffer, size_t room, struct error *err)
{
	struct slow *s = arg;

	(void)err;
	if (offset >= s->end && s->pauses > 0) {
		s->pauses--;
		usleep(100000);
		return 0;
	}
	if (offset < s->end && (int64_t)room > s->end - offset)
		room = (size_t)(s->end - offset);
	memset(buffer, 'x', room);
	return (int64_t)room;
}

static int stop_it(void *arg, int64_t sent, int64_t received, struct error *err)
{
	const struct slow *s = arg;

	(void)received;
	return s->stop && sent > 0 ? error_set(err, ERROR_CANCELLED, "enough of it") : 0;
}

static void test_body_that_is_waited_for(void **state)
{
	static const struct http_options IMPATIENT = {.stall_timeout_ms = 500};
	AUTO_PTR(http) h = client(&IMPATIENT);
	AUTO_FREE char *url = xstrfmt("%s/x", plain.url);
	AUTO_FREE char *arrived = NULL;
	AUTO(http_response) res = {0};
	struct slow s = {.pauses = 12, .end = 1500000};
	struct http_request req = {
		.method = "PUT",
		.url = url,
		.body_len = 2500000,
		.read_body = read_slowly,
		.on_progress = stop_it,
		.arg = &s,
	};

	(void)state;
	/* The pauses are longer than a connection may stall: it is not the connection. */
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 201}");
	assert_ok(http_send(h, &req, &res, err));
	assert_int_equal(res.status, 201);
	assert_int_equal(s.pauses, 0);
	arrived = fake_seen(&plain, "PUT", "^/x", 0, "body");
	assert_int_equal(atol(arrived), 2500000);
	/* While it waits it hears of the end. */
	s = (struct slow){.pauses = 1000, .end = 300000, .stop = true};
	fake_rule(&plain, "{\"path\": \"^/x\", \"status\": 201}");
	assert_error(http_send(h, &req, &res, err), ERROR_CANCELLED, "enough of it");
	assert_true(s.pauses > 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		http_test(test_upload),         http_test(test_no_second_sending),
		http_test(test_body_held_back), http_test(test_expectation_refused),
		http_test(test_short_body),     http_test(test_body_that_is_waited_for),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
