#include "cli/deploy_image.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cli/annotations.h"
#include "cli/build_caches.h"
#include "cli/build_run.h"
#include "dockerfile/git_ref.h"
#include "oci/layout.h"

#define MAX_NAME 100

void deploy_image_init(struct deploy_image *i)
{
	*i = (struct deploy_image){0};
	build_inputs_init(&i->inputs);
}

void deploy_image_release(struct deploy_image *i)
{
	build_result_release(&i->built);
	build_inputs_release(&i->inputs);
	image_free(i->loaded);
	descriptor_release(&i->descriptor);
	free(i->remote);
	free(i->name);
}

bool deploy_image_is_context(const char *argument)
{
	struct stat st;

	if (strcmp(argument, "-") == 0 || strstr(argument, "://") || git_ref_is(argument, true))
		return true;
	return (stat(argument, &st) == 0 && S_ISDIR(st.st_mode)) || argument[0] == '.' ||
	       argument[0] == '/';
}

/* Small letters, digits and single dashes; NULL: nothing is left. */
static char *make_valid(const char *text, size_t len)
{
	AUTO(strbuf) out = STRBUF_INIT;

	for (size_t i = 0; i < len && out.len < MAX_NAME; i++) {
		unsigned char c = (unsigned char)text[i];

		if (isalnum(c))
			strbuf_putc(&out, (char)tolower(c));
		else if (out.len && out.buf[out.len - 1] != '-')
			strbuf_putc(&out, '-');
	}
	while (out.len && out.buf[out.len - 1] == '-')
		strbuf_truncate(&out, out.len - 1);
	return out.len ? strbuf_detach(&out, NULL) : NULL;
}

char *deploy_image_name(const char *argument)
{
	AUTO_FREE char *path = NULL;
	const char *text = argument, *end;
	size_t len;

	if (strcmp(argument, "-") == 0)
		return NULL;
	if (deploy_image_is_context(argument) && !strstr(argument, "://")) {
		path = realpath(argument, NULL);
		if (path)
			text = path;
	}
	/* what stands behind a repository's name: #branch:folder, @digest, :tag */
	len = strcspn(text, path ? "" : "#@");
	while (len && text[len - 1] == '/')
		len--;
	end = memrchr(text, '/', len);
	if (end) {
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	if (!path)
		len = strcspn(text, ":#@") < len ? strcspn(text, ":#@") : len;
	if (len > 4 && !path && memcmp(text + len - 4, ".git", 4) == 0)
		len -= 4;
	return make_valid(text, len);
}

struct building {
	struct app *app;
	const struct deploy_flags *flags;
	struct deploy_image *image;
	struct build_caches *caches;
};

static int build(void *arg, struct build_options *o, struct error *err)
{
	struct building *b = arg;
	struct build_result *result = &b->image->built;
	int r;

	if (build_caches_start(b->caches, b->app, o, false, NULL, 0, err) < 0)
		return -1;
	r = build_run(result, b->app->store, o, err);
	annotate_checks(b->app, b->image->inputs.dockerfile_path, &result->checks, CHECK_WARNING);
	if (r < 0 || build_caches_write(b->caches, &result->image->config.platform, err) < 0)
		return -1;
	b->image->image = result->image;
	descriptor_copy(&b->image->descriptor, &result->descriptor);
	return 0;
}

static int build_context(struct deploy_image *out, struct app *a, const struct deploy_flags *f,
			 const char *context, struct error *err)
{
	const struct output_list outputs = {0};
	AUTO(build_caches) caches = {0};
	struct building b = {a, f, out, &caches};

	if (build_caches_parse(&caches, &f->build.cache_from, &f->build.cache_to, err) < 0)
		return -1;
	if (build_with_options(a, &f->build, context, &out->inputs, &outputs, false, build, &b,
			       err) < 0) {
		annotate_error(a, out->inputs.dockerfile_path, err);
		return -1;
	}
	return 0;
}

static int wanted_platform(const struct deploy_flags *f, struct platform *out, bool *given,
			   struct error *err)
{
	*given = f->build.platforms.n > 0;
	if (*given && platform_parse(out, f->build.platforms.items[0], err) < 0)
		return error_wrap(err, "--platform");
	return 0;
}

/* By digest, where it is: ECS pulls it from there. */
static int find_remote(struct deploy_image *out, struct app *a, const char *name,
		       const struct platform *platform, struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) chosen = {0};

	if (image_ref_parse(&ref, name, err) < 0 || app_registry(a, err) < 0)
		return -1;
	if (registry_fetch_image(a->registry, a->store, &ref, platform, &out->descriptor, &chosen,
				 err) < 0) {
		error_wrap(err, "image %s is not in slipway's store", name);
		return error_hint(
			err, "to build one, give a folder with a Dockerfile: slipway deploy .");
	}
	if (image_load(&out->loaded, a->store, &chosen, platform, err) < 0)
		return -1;
	out->remote = xstrfmt("%s/%s@%s", ref.host, ref.path, out->descriptor.digest.text);
	return 0;
}

static bool is_at_ecr(const char *name)
{
	AUTO(image_ref) ref = {0};

	return image_ref_parse(&ref, name, NULL) == 0 && aws_login_is_for(ref.host);
}

int deploy_image_get(struct deploy_image *out, struct app *a, const struct deploy_flags *f,
		     const char *argument, struct error *err)
{
	AUTO(platform) platform = {0};
	bool given;

	if (deploy_image_is_context(argument))
		return build_context(out, a, f, argument, err);
	if (wanted_platform(f, &platform, &given, err) < 0 || app_store(a, err) < 0)
		return -1;
	/* What is at ECR is deployed from there, also when slipway's store has it. */
	if (is_at_ecr(argument) ||
	    layout_find_text(a->store, argument, &out->descriptor, NULL) < 0) {
		if (find_remote(out, a, argument, given ? &platform : NULL, err) < 0)
			return -1;
	} else if ((given ? image_load(&out->loaded, a->store, &out->descriptor, &platform, err)
			  : image_load_any(&out->loaded, a->store, &out->descriptor, err)) < 0) {
		return error_wrap(err, "image %s", argument);
	}
	out->image = out->loaded;
	return 0;
}

char *deploy_image_reference(const struct deploy_image *i, const char *repository)
{
	return i->remote ? xstrdup(i->remote)
			 : xstrfmt("%s@%s", repository, i->descriptor.digest.text);
}

int deploy_image_push(struct deploy_image *i, struct app *a, const char *repository,
		      const char *tag, struct error *err)
{
	AUTO(image_ref) ref = {0};
	struct push_result result = {0};
	AUTO_FREE char *tagged = NULL;

	if (i->remote)
		return 0;
	tagged = tag ? xstrfmt("%s:%s", repository, tag)
		     : xstrfmt("%s:sha-%.12s", repository, digest_hex(&i->descriptor.digest));
	if (image_ref_parse(&ref, tagged, err) < 0)
		return error_wrap(err, "the tag to push to");
	if (layout_tag(a->store, &ref, &i->descriptor, err) < 0 || app_registry(a, err) < 0 ||
	    registry_push(a->registry, a->store, &ref, &i->descriptor, &result, err) < 0)
		return error_wrap(err, "push %s", tagged);
	return 0;
}
