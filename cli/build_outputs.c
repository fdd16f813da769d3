#include "cli/build_outputs.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "cli/csv.h"
#include "cli/output_file.h"
#include "oci/archive.h"
#include "oci/export.h"

static const char *const output_keys[] = {
	"type",
	"dest",
	"name",
	"push",
	"compression",
	"compression-level",
	"rewrite-timestamp",
	"oci-mediatypes",
	"tar",
	NULL,
};

static const char *const kind_names[] = {"image", "oci", "docker", "tar", "local"};

static int parse_kind(enum output_kind *out, const char *text, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*out = (enum output_kind)i;
			return 0;
		}
	}
	if (strcmp(text, "registry") == 0) {
		*out = OUTPUT_IMAGE;
		return 0;
	}
	return error_set(
		err, ERROR_USAGE,
		"--output: unknown type \"%s\": image, registry, oci, docker, tar or local", text);
}

/* BuildKit's "annotation.NAME=VALUE" and "annotation-TYPE[PLATFORM].NAME=VALUE" go out of fields. */
static void take_annotations(struct output_spec *spec, struct strmap *fields)
{
	static const char prefix[] = "annotation";

	for (size_t i = 0; i < fields->n; i++) {
		const struct strmap_entry *e = &fields->entries[i];
		const char *type = e->key + strlen(prefix);
		const char *dot = strchr(e->key, '.');

		if (!str_starts(e->key, prefix) || !dot || (*type != '.' && *type != '-'))
			continue;
		if (*type == '.')
			strlist_addf(&spec->annotations, "%s=%s", dot + 1, e->value);
		else
			strlist_addf(&spec->annotations, "%.*s:%s=%s", (int)(dot - type - 1),
				     type + 1, dot + 1, e->value);
		AUTO_FREE char *key = xstrdup(e->key);

		strmap_remove(fields, key);
		i--;
	}
}

static int fill(struct output_spec *spec, const struct strmap *fields, struct error *err)
{
	const char *type = strmap_get(fields, "type");
	const char *level = strmap_get(fields, "compression-level");
	const char *compression = strmap_get(fields, "compression");
	bool tar = true, oci = true;

	if (!type)
		return error_set(err, ERROR_USAGE, "--output: type= is missing");
	if (csv_check_keys(fields, output_keys, "--output", err) < 0 ||
	    parse_kind(&spec->kind, type, err) < 0 ||
	    csv_get_bool(fields, "push", "--output", &spec->push, err) < 0 ||
	    csv_get_bool(fields, "tar", "--output", &tar, err) < 0 ||
	    csv_get_bool(fields, "oci-mediatypes", "--output", &oci, err) < 0 ||
	    csv_get_bool(fields, "rewrite-timestamp", "--output", &spec->rewrite_timestamp, err) <
		    0)
		return -1;
	if (!tar || !oci)
		return error_set(err, ERROR_UNSUPPORTED, "--output: %s=false is not supported",
				 tar ? "oci-mediatypes" : "tar");
	spec->push = spec->push || strcmp(type, "registry") == 0;
	spec->dest = xstrdup_null(strmap_get(fields, "dest"));
	if (strmap_get(fields, "name"))
		strlist_split(&spec->names, strmap_get(fields, "name"), ',');
	if (compression && level && strcmp(compression, "gzip") == 0)
		spec->compression = xstrfmt("gzip:zlib-%s", level);
	else if (compression && level)
		spec->compression = xstrfmt("%s:%s", compression, level);
	else
		spec->compression = xstrdup_null(compression);
	if (spec->kind == OUTPUT_LOCAL && !spec->dest)
		return error_set(err, ERROR_USAGE, "--output type=local: dest= is missing");
	if (spec->kind == OUTPUT_LOCAL && strcmp(spec->dest, "-") == 0)
		return error_set(err, ERROR_USAGE, "--output type=local: dest=- is not a folder");
	if (spec->kind != OUTPUT_IMAGE && spec->kind != OUTPUT_LOCAL) {
		if (!spec->dest && isatty(STDOUT_FILENO))
			return error_set(
				err, ERROR_USAGE,
				"--output type=%s: dest= is missing, and standard output is a "
				"terminal",
				type);
		if (!spec->dest)
			spec->dest = xstrdup("-");
	}
	return 0;
}

int output_list_add(struct output_list *l, const char *text, struct error *err)
{
	AUTO(strmap) fields = STRMAP_INIT;
	struct output_spec *spec;

	if (!strchr(text, '=')) {
		strmap_set(&fields, "type", strcmp(text, "-") == 0 ? "tar" : "local");
		strmap_set(&fields, "dest", text);
	} else if (csv_parse_fields(&fields, "--output", text, err) < 0) {
		return -1;
	}
	GROW(l->items, l->n + 1, l->cap);
	spec = &l->items[l->n++];
	*spec = (struct output_spec){0};
	take_annotations(spec, &fields);
	return fill(spec, &fields, err);
}

void output_list_release(struct output_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].dest);
		free(l->items[i].compression);
		strlist_release(&l->items[i].names);
		strlist_release(&l->items[i].annotations);
	}
	free(l->items);
}

bool output_list_wants_image(const struct output_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].kind == OUTPUT_IMAGE)
			return true;
	return l->n == 0;
}

bool output_list_wants_files(const struct output_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].kind != OUTPUT_IMAGE)
			return true;
	return false;
}

int output_list_check(const struct output_list *l, const struct platform_list *platforms,
		      struct error *err)
{
	AUTO_FREE char *list = platform_list_format(platforms);

	for (size_t i = 0; i < l->n && platforms->n > 1; i++) {
		if (l->items[i].kind != OUTPUT_DOCKER)
			continue;
		error_set(
			err, ERROR_UNSUPPORTED,
			"--output type=docker: an archive for docker load holds one platform, not %s",
			list);
		return error_hint(err, "use type=oci, or build one platform at a time");
	}
	return 0;
}

/* The folder of one platform, as buildx names it: "linux_arm_v7"; NULL: the result is for one platform. */
static char *platform_folder(const struct build_result *result, size_t i)
{
	char *text;

	if (!media_is_index(result->descriptor.media_type))
		return NULL;
	text = platform_format(&result->images[i]->config.platform);
	for (char *p = text; *p; p++)
		if (*p == '/')
			*p = '_';
	return text;
}

static int write_tar(struct app *a, const struct build_result *result, int fd, struct error *err)
{
	AUTO_FREE struct export_part *parts = xcalloc(result->n_images, sizeof(*parts));
	AUTO(strlist) folders = STRLIST_INIT;

	for (size_t i = 0; i < result->n_images; i++) {
		char *folder = platform_folder(result, i);

		parts[i].image = result->images[i];
		if (folder) {
			strlist_take(&folders, folder);
			parts[i].folder = folder;
		}
	}
	return export_tar(a->store, parts, result->n_images, fd, err);
}

/* One archive or tar to an open descriptor. */
static int write_stream(struct app *a, const struct output_spec *spec,
			const struct build_result *result, const struct image_ref *refs,
			size_t n_refs, int fd, struct error *err)
{
	struct archive_item item = {.n_refs = n_refs};
	int done;

	if (spec->kind == OUTPUT_TAR)
		return write_tar(a, result, fd, err);
	item.refs = xcalloc(n_refs + 1, sizeof(*item.refs));
	for (size_t i = 0; i < n_refs; i++)
		image_ref_copy(&item.refs[i], &refs[i]);
	descriptor_copy(&item.descriptor, &result->descriptor);
	done = archive_save(a->store, &item, 1,
			    spec->kind == OUTPUT_OCI ? ARCHIVE_OCI : ARCHIVE_HYBRID, fd, err);
	for (size_t i = 0; i < n_refs; i++)
		image_ref_release(&item.refs[i]);
	free(item.refs);
	descriptor_release(&item.descriptor);
	return done;
}

static int write_folders(struct app *a, const struct output_spec *spec,
			 const struct build_result *result, struct error *err)
{
	for (size_t i = 0; i < result->n_images; i++) {
		AUTO_FREE char *folder = platform_folder(result, i);
		AUTO_FREE char *path = folder ? path_join(spec->dest, folder) : xstrdup(spec->dest);
		uint64_t skipped = 0;

		if (export_folder(a->store, result->images[i], path, &skipped, err) < 0)
			return -1;
		if (skipped)
			report_log(a->reporter, LOG_WARNING,
				   "%s: %" PRIu64 " device nodes were left out (not allowed here)",
				   path, skipped);
	}
	return 0;
}

static int write_one(struct app *a, const struct output_spec *spec,
		     const struct build_result *result, const struct image_ref *refs, size_t n_refs,
		     struct error *err)
{
	AUTO(output_file) file = OUTPUT_FILE_INIT;

	if (spec->kind == OUTPUT_LOCAL)
		return write_folders(a, spec, result, err);
	if (strcmp(spec->dest, "-") == 0)
		return write_stream(a, spec, result, refs, n_refs, STDOUT_FILENO, err);
	if (output_file_open(&file, spec->dest, 0666 & ~a->env.umask, err) < 0 ||
	    write_stream(a, spec, result, refs, n_refs, file.fd, err) < 0)
		return -1;
	return output_file_commit(&file, err);
}

int output_list_write(struct app *a, const struct output_list *l, const struct build_result *result,
		      const struct image_ref *refs, size_t n_refs, struct error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct output_spec *spec = &l->items[i];
		int step;

		if (spec->kind == OUTPUT_IMAGE)
			continue;
		step = report_step_begin(a->reporter, "exporting to %s %s", kind_names[spec->kind],
					 spec->dest);
		if (write_one(a, spec, result, refs, n_refs, err) < 0) {
			report_step_end(a->reporter, step, STEP_STATUS_FAILED, err);
			return error_wrap(err, "output type=%s", kind_names[spec->kind]);
		}
		report_step_end(a->reporter, step, STEP_STATUS_DONE, NULL);
	}
	return 0;
}
