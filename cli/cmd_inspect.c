#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/cmd.h"
#include "cli/json_print.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "inspect",
	.args = "[OPTIONS] IMAGE...",
	.summary = "Show an image's details as JSON",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

/* Names that point at this manifest. */
static json_t *names_of(struct app *a, const struct digest *digest, struct error *err)
{
	AUTO(image_index) index = {0};
	json_t *names = json_array();

	if (layout_read(a->store, &index, err) < 0)
		return json_decref(names), NULL;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		const char *name = strmap_get(&d->annotations, "org.opencontainers.image.ref.name");

		if (name && digest_equal(&d->digest, digest))
			json_array_append_new(names, json_text(name));
	}
	return names;
}

static void set_text(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_text(value ? value : ""));
}

/* What an index lists, in the words of docker's API. */
static int add_manifests(struct app *a, json_t *object, const struct descriptor *top,
			 struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};
	json_t *list;

	if (store_read_blob(a->store, &top->digest, top->size, &text, LIMIT_MANIFEST_BYTES, err) <
		    0 ||
	    image_index_parse(&index, text.buf, text.len, top->media_type, top->digest.text, err) <
		    0)
		return -1;
	list = json_array();
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		bool here = store_has(a->store, &d->digest, d->size);

		json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "ID", d->digest.text,
						      "Descriptor", descriptor_to_json(d),
						      "Available", here));
	}
	json_object_set_new(object, "Manifests", list);
	return 0;
}

/* The shape of docker inspect, as far as an image on disk has these things. */
static int describe(struct app *a, const struct descriptor *top, const struct image *image,
		    json_t *names, json_t *out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *config = NULL;
	json_t *object, *layers, *config_part;
	int64_t size = 0;

	if (store_read_blob(a->store, &image->manifest.config.digest, image->manifest.config.size,
			    &text, 16u << 20, err) < 0 ||
	    json_parse(&config, text.buf, text.len, "config", err) < 0)
		return -1;
	object = json_object();
	set_text(object, "Id", image->manifest.config.digest.text);
	json_object_set(object, "RepoTags", names);
	set_text(object, "Digest", top->digest.text);
	set_text(object, "Created", image->config.created);
	set_text(object, "Author", image->config.author);
	set_text(object, "Architecture", image->config.platform.arch);
	if (image->config.platform.variant)
		set_text(object, "Variant", image->config.platform.variant);
	set_text(object, "Os", image->config.platform.os);
	layers = json_array();
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		size += image->manifest.layers[i].size;
		json_array_append_new(layers, json_string(image->config.diff_ids[i].text));
	}
	json_object_set_new(object, "Size", json_integer(size));
	config_part = json_object_get(config, "config");
	json_object_set(object, "Config", config_part ? config_part : json_null());
	json_object_set_new(object, "RootFS",
			    json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers));
	json_object_set_new(object, "Descriptor", descriptor_to_json(&image->descriptor));
	if (media_is_index(top->media_type) && add_manifests(a, object, top, err) < 0) {
		json_decref(object);
		return -1;
	}
	json_array_append_new(out, object);
	return 0;
}

static int inspect_here(struct app *a, const char *name, const char *platform, json_t *out,
			struct error *err)
{
	AUTO(descriptor) top = {0};
	AUTO_PTR(image) image = NULL;
	AUTO_JSON *names = NULL;

	if (app_load_image(a, name, platform, &top, &image, err) < 0)
		return -1;
	names = names_of(a, &top.digest, err);
	return names ? describe(a, &top, image, names, out, err) : -1;
}

/* Only documents are fetched: manifests and the config. */
static int inspect_there(struct app *a, const char *name, const char *platform, json_t *out,
			 struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(platform) want = {0};
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};
	AUTO_PTR(image) image = NULL;
	AUTO_FREE char *familiar = NULL;
	AUTO_JSON *names = json_array();

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (platform && platform_parse(&want, platform, err) < 0)
		return error_wrap(err, "--platform");
	if (!platform)
		platform_host(&want);
	if (app_store(a, err) < 0 || app_registry(a, err) < 0 ||
	    registry_fetch_documents(a->registry, a->store, &ref, &want, &top, &chosen, err) < 0 ||
	    image_load(&image, a->store, &chosen, &want, err) < 0)
		return error_wrap(err, "inspect %s", name);
	familiar = image_ref_familiar(&ref);
	if (ref.tag)
		json_array_append_new(names, json_text(familiar));
	return describe(a, &top, image, names, out, err);
}

int cmd_inspect(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO_JSON *out = json_array();
	const char *type = NULL, *platform = NULL;
	bool remote = false;
	struct option options[] = {
		{'f', "format", OPTION_REFUSED, NULL,
		 "there are no templates; pick from the JSON, as in: slipway inspect app | jq -r "
		 "'.[0].Config.Cmd'",
		 NULL},
		{0, "platform", OPTION_STRING, "OS/ARCH",
		 "Choose this platform of a multi-platform image", &platform},
		OPTION_ROW_INSECURE(a),
		OPTION_ROW_MIRROR(a),
		{0, "remote", OPTION_FLAG, NULL,
		 "Look at the image in its registry; no layer is downloaded", &remote},
		{0, "type", OPTION_STRING, "TYPE", "Only \"image\" is known", &type},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (type && strcmp(type, "image") != 0)
		return error_set(err, ERROR_USAGE,
				 "--type %s is not known: only images can be inspected", type);
	for (size_t i = 0; i < args.n; i++)
		if ((remote ? inspect_there : inspect_here)(a, args.items[i], platform, out, err) <
		    0)
			return -1;
	json_print(out);
	return 0;
}
