/*
 * The scripted registry (fault_registry.py) as a child of a C test program:
 *
 *	fake_start(&fake, "--auth", "bearer", NULL);
 *	fake_rule(&fake, "{\"path\": \"/blobs/\", \"reset\": 100}");
 *	... fake.host, fake.url, fake.ca ...
 *	fake_count(&fake, "GET", "/blobs/")
 *	fake_stop(&fake);
 *
 * It ends with its standard input, so a test that crashes leaves none behind.
 */
#pragma once

#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/process.h"
#include "net/http.h"

struct fake {
	pid_t pid;
	int stdin_fd;
	json_t *info;
	const char *host, *url, *ca; /* views; ca "" without TLS */
	struct http *http;
};

static inline int fake_read_line(int fd, struct fake *f)
{
	char line[4096];
	size_t n = 0;

	while (n < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	return json_parse(&f->info, line, n, "the fake's first line", NULL);
}

/* Any program of that protocol: a line of JSON with host, url and ca, then service until its input ends. */
static inline int fake_spawn(struct fake *f, char *const *argv)
{
	struct process_options process = {.path = "/usr/bin/python3", .argv = argv, .stderr_fd = 2};
	struct http_options options = {0};
	int in[2], out[2];

	*f = (struct fake){.stdin_fd = -1};
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -1;
	process.stdin_fd = in[0];
	process.stdout_fd = out[1];
	if (process_spawn(&f->pid, &process, NULL) < 0)
		return -1;
	f->stdin_fd = in[1];
	close(in[0]);
	close(out[1]);
	if (fake_read_line(out[0], f) < 0) {
		close(out[0]);
		return -1;
	}
	close(out[0]);
	f->host = json_string_value(json_object_get(f->info, "host"));
	f->url = json_string_value(json_object_get(f->info, "url"));
	f->ca = json_string_value(json_object_get(f->info, "ca"));
	options.ca_file = *f->ca ? f->ca : NULL;
	return http_new(&f->http, &options, NULL);
}

static inline int fake_start(struct fake *f, const char *option, ...)
{
	AUTO(strlist) argv = STRLIST_INIT;
	va_list ap;

	strlist_add(&argv, "/usr/bin/python3");
	strlist_add(&argv, TEST_DATA "/../fakes/fault_registry.py");
	va_start(ap, option);
	for (; option; option = va_arg(ap, const char *))
		strlist_add(&argv, option);
	va_end(ap);
	return fake_spawn(f, argv.items);
}

static inline void fake_stop(struct fake *f)
{
	int status;

	if (f->stdin_fd >= 0)
		close(f->stdin_fd);
	if (f->pid > 0)
		process_wait(f->pid, &status, NULL);
	http_free(f->http);
	json_decref(f->info);
	*f = (struct fake){.stdin_fd = -1};
}

/* *answer (json_decref) may be NULL. Returns the status, -1 without an answer. */
static inline int fake_call(const struct fake *f, const char *method, const char *path,
			    const char *body, json_t **answer)
{
	AUTO_FREE char *url = xstrfmt("%s%s", f->url, path);
	AUTO(http_response) res = {0};
	struct http_request req = {
		.method = method,
		.url = url,
		.body = body,
		.body_len = body ? (int64_t)strlen(body) : -1,
	};

	if (http_send(f->http, &req, &res, NULL) < 0)
		return -1;
	if (answer && json_parse(answer, res.body.buf, res.body.len, path, NULL) < 0)
		return -1;
	return res.status;
}

static inline void fake_rule(const struct fake *f, const char *json)
{
	if (fake_call(f, "POST", "/_fake/rules", json, NULL) != 200)
		fail_msg("the fake does not take the rule %s", json);
}

static inline void fake_setting(const struct fake *f, const char *json)
{
	if (fake_call(f, "POST", "/_fake/settings", json, NULL) != 200)
		fail_msg("the fake does not take the setting %s", json);
}

static inline void fake_reset(const struct fake *f)
{
	if (fake_call(f, "POST", "/_fake/reset", "{}", NULL) != 200)
		fail_msg("the fake cannot be reset");
}

static inline bool fake_is(const json_t *entry, const char *method, const regex_t *path)
{
	return (!method ||
		strcmp(json_string_value(json_object_get(entry, "method")), method) == 0) &&
	       regexec(path, json_string_value(json_object_get(entry, "path")), 0, NULL, 0) == 0;
}

/* The nth request (from 0, -1: none) of that method (NULL: any) whose path matches, and how many there are. */
static inline json_t *fake_find(const struct fake *f, const char *method, const char *path, int nth,
				int *count)
{
	AUTO_JSON *log = NULL;
	json_t *found = NULL;
	regex_t re;

	*count = 0;
	if (fake_call(f, "GET", "/_fake/log", NULL, &log) != 200 ||
	    regcomp(&re, path, REG_EXTENDED | REG_NOSUB) != 0)
		return NULL;
	for (size_t i = 0; i < json_array_size(log); i++) {
		json_t *entry = json_array_get(log, i);

		if (fake_is(entry, method, &re) && (*count)++ == nth)
			found = json_incref(entry);
	}
	regfree(&re);
	return found;
}

/*
 * Of such a request the value of header name, or its own "path", "status" or "body" (bytes). free(); NULL when there is no
 * such request or header.
 */
static inline char *fake_seen(const struct fake *f, const char *method, const char *path, int nth,
			      const char *name)
{
	int count;
	AUTO_JSON *entry = fake_find(f, method, path, nth, &count);
	const json_t *own = json_object_get(entry, name);
	const json_t *header = json_object_get(json_object_get(entry, "headers"), name);

	if (own && json_is_integer(own))
		return xstrfmt("%lld", (long long)json_integer_value(own));
	return xstrdup_null(json_string_value(own ? own : header));
}

static inline int fake_count(const struct fake *f, const char *method, const char *path)
{
	int count;

	fake_find(f, method, path, -1, &count);
	return count;
}
