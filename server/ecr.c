#include "server/ecr.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "base/strmap.h"
#include "base/time.h"
#include "server/document.h"

#define ACCOUNT "000000000000"

/* Tokens that are remembered; then all are new again. */
#define MAX_TOKENS 1000

struct ecr {
	atomic_uint requests;
	pthread_mutex_t lock;
	struct strmap
		tokens; /* their hashes to when they came first, in ns of time_monotonic_ns() */
};

struct ecr *ecr_new(void)
{
	struct ecr *e = xcalloc(1, sizeof(*e));

	pthread_mutex_init(&e->lock, NULL);
	return e;
}

void ecr_free(struct ecr *e)
{
	if (!e)
		return;
	strmap_release(&e->tokens);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

bool ecr_has_room(struct call *c)
{
	unsigned every = (unsigned)c->server->options.ecr_throttle;

	if (!every || (atomic_fetch_add(&c->server->ecr->requests, 1) + 1) % every != 0)
		return true;
	server_add_header(c->request, "Retry-After", "1");
	reply_error(c, 429, "TOOMANYREQUESTS", "Rate exceeded");
	return false;
}

/* When the token came first. */
static int64_t first_seen(struct ecr *e, const char *token, int64_t now)
{
	uint8_t raw[SHA256_SIZE];
	char key[SHA256_HEX_SIZE], text[24];
	const char *known;
	int64_t since = now;

	sha256_buf(token, strlen(token), raw);
	sha256_hex(raw, key);
	pthread_mutex_lock(&e->lock);
	known = strmap_get(&e->tokens, key);
	if (known) {
		since = strtoll(known, NULL, 10);
	} else {
		if (e->tokens.n >= MAX_TOKENS)
			strmap_clear(&e->tokens);
		snprintf(text, sizeof(text), "%lld", (long long)now);
		strmap_set(&e->tokens, key, text);
	}
	pthread_mutex_unlock(&e->lock);
	return since;
}

bool ecr_is_fresh(struct call *c, const char *token)
{
	int64_t life = c->server->options.ecr_token_seconds * 1000000000ll;
	int64_t now = time_monotonic_ns();

	if (!life || now - first_seen(c->server->ecr, token, now) < life)
		return true;
	reply_error(c, 403, "DENIED",
		    "Your authorization token has expired. Reauthenticate and try again.");
	return false;
}

bool ecr_takes_part_after(struct call *c, int64_t size)
{
	if (!c->server->options.ecr_quirks || size == 0 || size >= ECR_LEAST_PART)
		return true;
	reply_error(c, 400, "BLOB_UPLOAD_INVALID",
		    "Layer part with last byte %lld is smaller than the minimum of %lld bytes",
		    (long long)size - 1, ECR_LEAST_PART);
	return false;
}

void ecr_challenge(struct call *c)
{
	const char *host = server_request_header(c->request, "Host");

	/* The host comes from the client: nothing of it may leave the quotes. */
	if (!host || strpbrk(host, "\"\\\r\n"))
		host = "localhost";
	server_add_headerf(c->request, "WWW-Authenticate",
			   "Basic realm=\"https://%s/\",service=\"ecr.amazonaws.com\"", host);
}

bool ecr_has_repository(struct call *c)
{
	if ((!c->server->options.ecr_quirks && !c->server->options.only_made) ||
	    repository_exists(call_store(c), c->route.repository))
		return true;
	reply_error(c, 404, "NAME_UNKNOWN",
		    "The repository with name '%s' does not exist in the registry with id '" ACCOUNT
		    "'",
		    c->route.repository);
	return false;
}

static bool is_image(const struct document *doc)
{
	if (!doc->says_type || doc->is_artifact)
		return false;
	for (size_t i = 0; i < doc->index.n_manifests; i++)
		if (!document_is_manifest(&doc->index.manifests[i]))
			return false;
	if (doc->is_index)
		return true;
	for (size_t i = 0; i < doc->manifest.n_layers; i++)
		if (!media_is_layer(doc->manifest.layers[i].media_type))
			return false;
	return media_is_config(doc->manifest.config.media_type);
}

bool ecr_takes(struct call *c, const struct document *doc)
{
	if (!c->server->options.ecr_quirks || is_image(doc))
		return true;
	reply_error(c, 405, "UNSUPPORTED",
		    "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
		    "'Unsupported media type or artifact type'");
	return false;
}
