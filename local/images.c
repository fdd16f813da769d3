#include "local/images.h"

#include <string.h>

#include "aws/ecr.h"
#include "base/alloc.h"
#include "oci/layout.h"
#include "oci/repository.h"

/* The host and port of the local target, or localhost with its port? Other loopback addresses are those of tasks. */
static bool is_ours(const struct images *i, const char *host)
{
	const char *port = strrchr(i->registry, ':');
	size_t name = strlen("localhost");

	return strcmp(host, i->registry) == 0 ||
	       (port && strncmp(host, "localhost", name) == 0 && strcmp(host + name, port) == 0);
}

/* NULL: the reference is not one of the local registry. A view. */
static const char *repository_of(const struct images *i, const struct image_ref *ref)
{
	struct ecr_host ecr;

	if (is_ours(i, ref->host) || (ecr_host_parse(&ecr, ref->host) && !ecr.is_public))
		return ref->path;
	return NULL;
}

char *images_repository(const struct images *i, const char *name)
{
	AUTO(image_ref) ref = {0};
	const char *repository;

	if (image_ref_parse(&ref, name, NULL) < 0)
		return NULL;
	repository = repository_of(i, &ref);
	return repository ? xstrdup(repository) : NULL;
}

/* What containerd says on Fargate. */
static int not_found(const char *name, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND,
			 "pull image manifest has been retried 1 time(s): failed to resolve ref "
			 "%s: %s: not found",
			 name, name);
}

static int wrong_platform(const struct platform *wanted, struct error *err)
{
	AUTO_FREE char *text = platform_format(wanted);

	return error_set(err, ERROR_UNSUPPORTED,
			 "pull image manifest has been retried 1 time(s): image Manifest does not "
			 "contain descriptor matching platform '%s'",
			 text);
}

/* In the local registry; what is not shown there is not found, though the store may have it. */
static int find_pushed(const struct images *i, const struct image_ref *ref, const char *name,
		       struct descriptor *out, struct error *err)
{
	const char *repository = repository_of(i, ref);
	AUTO(strbuf) type = STRBUF_INIT;
	struct digest d = ref->digest;
	int64_t size;
	int fd;

	if (!repository_exists(i->store, repository))
		return not_found(name, err);
	if (!digest_is_set(&d) && repository_resolve(i->store, repository, ref->tag, &d, NULL) < 0)
		return not_found(name, err);
	if (repository_manifest(i->store, repository, &d, &type, NULL) < 0 ||
	    store_open_blob(i->store, &d, -1, &fd, &size, NULL) < 0)
		return not_found(name, err);
	close(fd);
	out->media_type = strbuf_detach(&type, NULL);
	out->digest = d;
	out->size = size;
	return 0;
}

static bool has_platform(const struct image *image, const struct platform *wanted)
{
	return !image->config.platform.arch || platform_match(wanted, &image->config.platform) > 0;
}

/* The image for the platform of what was found; its layers too. */
static int load(const struct images *i, const struct descriptor *d, const struct platform *platform,
		struct image **out, struct error *err)
{
	AUTO_PTR(image) image = NULL;
	AUTO(error) why = ERROR_INIT;

	if (image_load(&image, i->store, d, platform, &why) < 0)
		return why.kind == ERROR_NOT_FOUND ? wrong_platform(platform, err)
						   : error_move(err, &why);
	if (!has_platform(image, platform))
		return wrong_platform(platform, err);
	*out = take_ptr(image);
	return 0;
}

static int pull(const struct images *i, const char *name, const struct platform *platform,
		const struct cancel *cancel, struct image **out, struct error *err)
{
	AUTO_PTR(image) image = NULL;
	AUTO(error) why = ERROR_INIT;

	if (!i->pull)
		return not_found(name, err);
	if (i->pull(i->arg, name, platform, cancel, &image, &why) < 0) {
		if (why.kind == ERROR_NOT_FOUND)
			return not_found(name, err);
		error_move(err, &why);
		return error_wrap(err,
				  "pull image manifest has been retried 1 time(s): failed to "
				  "resolve ref %s",
				  name);
	}
	if (!has_platform(image, platform))
		return wrong_platform(platform, err);
	*out = take_ptr(image);
	return 0;
}

/* In slipway's own store, else from elsewhere. */
static int find_other(const struct images *i, const struct image_ref *ref, const char *name,
		      const struct platform *platform, const struct cancel *cancel,
		      struct image **out, char **digest, struct error *err)
{
	AUTO(descriptor) found = {0};
	AUTO(error) why = ERROR_INIT;
	AUTO_PTR(image) image = NULL;

	if (layout_find(i->store, ref, &found, &why) < 0) {
		if (why.kind != ERROR_NOT_FOUND)
			return error_move(err, &why);
		if (pull(i, name, platform, cancel, &image, err) < 0)
			return -1;
	} else if (load(i, &found, platform, &image, &why) < 0) {
		/* Of an index that was pulled the host's platform alone is here. */
		if (why.kind != ERROR_UNSUPPORTED || !i->pull)
			return error_move(err, &why);
		if (pull(i, name, platform, cancel, &image, err) < 0)
			return -1;
	} else if (!image_complete(image, i->store, NULL)) {
		image_free(take_ptr(image));
		if (pull(i, name, platform, cancel, &image, err) < 0)
			return -1;
	}
	*digest = xstrdup(digest_is_set(&found.digest) ? found.digest.text
						       : image->descriptor.digest.text);
	*out = take_ptr(image);
	return 0;
}

int images_find(const struct images *i, const char *name, const struct platform *platform,
		const struct cancel *cancel, struct image **out, char **digest, struct error *err)
{
	AUTO(platform) host = {0};
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) found = {0};

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (!platform) {
		platform_host(&host);
		platform = &host;
	}
	if (!repository_of(i, &ref))
		return find_other(i, &ref, name, platform, cancel, out, digest, err);
	if (find_pushed(i, &ref, name, &found, err) < 0 || load(i, &found, platform, out, err) < 0)
		return -1;
	*digest = xstrdup(found.digest.text);
	return 0;
}
