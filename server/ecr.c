#include "server/ecr.h"

#include <string.h>

#include "server/document.h"

#define ACCOUNT "000000000000"

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
	if (!c->server->options.ecr_quirks || repository_exists(call_store(c), c->route.repository))
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
