/*
 * Keys that the place gives: the container endpoint (ECS, Fargate, CodeBuild, EKS Pod Identity) and the instance metadata
 * service, version 2 only (AWS SDKs reference, "Container credential provider", "IMDS credential provider").
 */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_private.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "net/url.h"

#define CONTAINER_HOST  "http://169.254.170.2"
#define INSTANCE_HOST   "http://169.254.169.254"
#define INSTANCE_HOST_6 "http://[fd00:ec2::254]"
#define ROLE_PATH       "/latest/meta-data/iam/security-credentials/"
#define TOKEN_SECONDS   "21600"

/* A metadata service is a hop away: what does not answer at once is not there. Never through a proxy. */
static int connect_metadata(struct aws *a, int timeout_ms, struct http **out, struct error *err)
{
	struct http_options o = a->o.http;

	o.connect_timeout_ms = timeout_ms;
	o.stall_timeout_ms = timeout_ms;
	o.no_proxy = true;
	o.cancel = a->o.cancel;
	return http_new(out, &o, err);
}

static int get(struct http *http, const char *method, const char *url, const char *header,
	       struct http_response *res, struct error *err)
{
	AUTO(strlist) headers = STRLIST_INIT;
	const struct http_request req = {
		.method = method,
		.url = url,
		.headers = &headers,
		.body_len = strcmp(method, "PUT") == 0 ? 0 : -1,
		.body = "",
		.body_limit = LIMIT_TOKEN_BYTES,
	};
	int r;

	if (header)
		strlist_add(&headers, header);
	r = http_send(http, &req, res, err);
	if (header)
		wipe(headers.items[0], strlen(headers.items[0]));
	return r;
}

/* https anywhere; http only where the packets stay on this machine or go to AWS's own addresses. */
static bool may_ask(const struct url *u)
{
	return strcmp(u->scheme, "https") == 0 || url_host_is_loopback(u->host) ||
	       strcmp(u->host, "169.254.170.2") == 0 || strcmp(u->host, "169.254.170.23") == 0 ||
	       strcmp(u->host, "fd00:ec2::23") == 0;
}

static int container_token(struct aws *a, char **header, struct error *err)
{
	const char *file = aws_env(a, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = aws_env(a, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	AUTO(strbuf) text = STRBUF_INIT;

	*header = NULL;
	if (file) {
		if (fs_read_file(file, &text, LIMIT_TOKEN_BYTES, err) < 0)
			return error_wrap(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		token = text.buf;
	}
	if (!token)
		return 0;
	if (strpbrk(token, "\r\n"))
		return error_set(err, ERROR_DENIED,
				 "the container's authorization token holds a line break");
	*header = xstrfmt("Authorization: %s", token);
	wipe(text.buf, text.len);
	return 0;
}

static int container_url(struct aws *a, char **out, struct error *err)
{
	const char *relative = aws_env(a, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = aws_env(a, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	AUTO(url) u = {0};

	*out = NULL;
	if (relative) {
		*out = xstrfmt(CONTAINER_HOST "%s", relative);
		if (url_parse(&u, *out, err) < 0 || strcmp(u.host, "169.254.170.2") != 0)
			return error_set(err, ERROR_DENIED,
					 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path");
		return 0;
	}
	if (!full)
		return 0;
	if (url_parse(&u, full, err) < 0)
		return error_wrap(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!url_is_http(&u) || !may_ask(&u))
		return error_set(err, ERROR_DENIED,
				 "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to %s: without TLS only "
				 "loopback and AWS's own addresses are asked",
				 u.host ? u.host : "no host");
	*out = url_format(&u);
	return 0;
}

int aws_from_container(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	AUTO_FREE char *url = NULL;
	char *header = NULL;
	AUTO_PTR(http) http = NULL;
	AUTO(http_response) res = {0};
	int r;

	*found = false;
	if (container_url(a, &url, err) < 0)
		return -1;
	if (!url)
		return 0;
	*found = true;
	if (container_token(a, &header, err) < 0)
		return -1;
	r = connect_metadata(a, 2000, &http, err);
	if (r == 0)
		r = get(http, "GET", url, header, &res, err);
	wipe_free(header);
	if (r < 0)
		return -1;
	if (res.status != 200)
		return error_set(err, ERROR_DENIED,
				 "the container's credentials endpoint answered "
				 "%d %s",
				 res.status, http_status_text(res.status));
	r = aws_credentials_from_json(out, res.body.buf, res.body.len,
				      "the container's credentials", "container", err);
	wipe(res.body.buf, res.body.len);
	return r;
}

static char *instance_host(struct aws *a)
{
	const char *endpoint = aws_env(a, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = aws_env(a, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	size_t n;

	if (!endpoint)
		return xstrdup(mode && strcmp(mode, "IPv6") == 0 ? INSTANCE_HOST_6 : INSTANCE_HOST);
	n = strlen(endpoint);
	while (n && endpoint[n - 1] == '/')
		n--;
	return xstrfmt("%.*s", (int)n, endpoint);
}

/* *token NULL: this is no instance, or its metadata cannot be had without a session. */
static int instance_token(struct http *http, const char *host, char **header, struct error *err)
{
	AUTO_FREE char *url = xstrfmt("%s/latest/api/token", host);
	AUTO(http_response) res = {0};
	AUTO(error) local = ERROR_INIT;

	*header = NULL;
	if (get(http, "PUT", url, "X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_SECONDS, &res,
		&local) < 0)
		return local.kind == ERROR_CANCELLED ? error_move(err, &local) : 0;
	if (res.status == 200 && !strpbrk(res.body.buf, "\r\n"))
		*header = xstrfmt("X-aws-ec2-metadata-token: %s", res.body.buf);
	return 0;
}

static int instance_keys(struct http *http, const char *host, const char *header,
			 struct aws_credentials *out, bool *found, struct error *err)
{
	AUTO_FREE char *list = xstrfmt("%s" ROLE_PATH, host);
	AUTO(http_response) roles = {0};
	AUTO(http_response) res = {0};
	AUTO(strbuf) url = STRBUF_INIT;
	int r;

	if (get(http, "GET", list, header, &roles, err) < 0)
		return -1;
	if (roles.status == 404)
		return 0; /* an instance without a role */
	if (roles.status != 200)
		return error_set(err, ERROR_DENIED, "the instance's metadata answered %d %s",
				 roles.status, http_status_text(roles.status));
	roles.body.buf[strcspn(roles.body.buf, "\r\n")] = '\0';
	strbuf_puts(&url, list);
	url_encode(&url, roles.body.buf);
	if (get(http, "GET", url.buf, header, &res, err) < 0)
		return -1;
	if (res.status != 200)
		return error_set(err, ERROR_DENIED,
				 "the instance's metadata answered %d %s for its role", res.status,
				 http_status_text(res.status));
	*found = true;
	r = aws_credentials_from_json(out, res.body.buf, res.body.len, "the instance's metadata",
				      "instance", err);
	wipe(res.body.buf, res.body.len);
	return r;
}

int aws_from_instance(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	AUTO_FREE char *host = NULL;
	AUTO_PTR(http) http = NULL;
	char *header = NULL;
	int r;

	*found = false;
	if (aws_env_true(a, "AWS_EC2_METADATA_DISABLED"))
		return 0;
	host = instance_host(a);
	if (connect_metadata(a, 1000, &http, err) < 0 ||
	    instance_token(http, host, &header, err) < 0)
		return -1;
	if (!header)
		return 0;
	r = instance_keys(http, host, header, out, found, err);
	wipe_free(header);
	return r;
}
