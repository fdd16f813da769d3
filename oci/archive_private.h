/* What the files of archive_load share: what was read from the stream, before it is known what it means. */
#pragma once

#include "base/sink.h"
#include "base/strlist.h"
#include "oci/image.h"
#include "oci/reference.h"

#define ARCHIVE_ENTRIES   100000     /* of an archive */
#define ARCHIVE_DOCUMENTS (64 << 20) /* bytes of all loose documents together */
#define ARCHIVE_LINKS     16         /* followed for one name */

/* A file of an old docker archive: its name says nothing about its content until manifest.json is read. */
struct loose {
	char *path;
	char *target; /* a link: the path it means */
	char *text;   /* a document */
	size_t len;
	struct descriptor layer; /* a layer, in the store already ... */
	struct digest diff_id;   /* ... and what it unpacks to */
};

struct load {
	struct store *store;
	struct strlist *loaded;
	struct strbuf index, manifest; /* index.json, manifest.json; empty: there was none */
	bool is_layout;                /* oci-layout was there, of version 1.0.0 */
	bool has_repositories;         /* of docker before 1.10 */
	struct loose *loose;
	size_t n_loose;
	size_t documents; /* bytes */
};

/* Links followed; NULL: no such file. */
const struct loose *load_find(const struct load *l, const char *path);
/* All that in gives. */
int load_pump(struct source *in, struct sink *to, struct error *err);
/* Streams one layer into the store: compressed as it is, else as gzip. name: for messages. */
int load_layer(struct store *s, struct source *in, const char *name, struct descriptor *layer,
	       struct digest *diff_id, struct error *err);
/* The diff ID and media type of a layer blob that is in the store. */
int load_blob_layer(struct store *s, const struct digest *d, struct descriptor *layer,
		    struct digest *diff_id, struct error *err);
/* Gives the image the name and notes it as loaded. */
int load_name(struct load *l, const char *name, const struct descriptor *d, struct error *err);
/* Lists the image without a name, and notes its digest. */
int load_unnamed(struct load *l, const struct descriptor *d, struct error *err);

/* index.json and its blobs; manifest.json only adds names. */
int load_oci(struct load *l, struct error *err);
/* manifest.json and loose files. */
int load_docker(struct load *l, struct error *err);
/* The RepoTags of the image with this config in manifest.json. */
int load_repo_tags(const struct load *l, const struct digest *config, struct strlist *out,
		   struct error *err);
