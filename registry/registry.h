/*
 * A registry as builder, push and pull use it (OCI distribution-spec 1.1). One struct registry serves a host for the whole
 * program and is safe to use from several threads: each borrows its own struct http.
 */
#pragma once

#include "base/pool.h"
#include "net/http.h"
#include "net/login.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "oci/store.h"
#include "registry/mirrors.h"

/* A repository that a push misses: made where its registry has a way to (aws/ecr). */
struct repository_maker {
	/* *made false: not a registry where that can be done. */
	int (*make)(void *arg, const char *host, const char *repository, bool *made,
		    struct error *err);
	void *arg;
};

struct registry_options {
	struct reporter *reporter;
	const struct cancel *cancel;
	struct login_source login;
	struct repository_maker repositories;
	const char *http_proxy;           /* as in net/http.h */
	const struct mirrors *mirrors;    /* for pulls; NULL: none */
	const struct strlist *insecure;   /* --insecure-registry HOST[:PORT] */
	const char *ca_file, *ca_dir;     /* SSL_CERT_FILE, SSL_CERT_DIR */
	const struct strlist *connect_to; /* as in net/http.h */
	const struct strlist
		*certs_dirs; /* folders like /etc/docker/certs.d: HOST:PORT/{*.crt,*.cert,*.key} */
	struct pool *pool;   /* at most 4 blobs of it at a time */
	int max_retries;     /* 0: 6 */
	int retry_base_ms;   /* 0: 500; tests make it small */
	int max_pause_ms; /* a registry that asks for a longer pause is given up; 0: any is made */
	int stall_timeout_ms, answer_timeout_ms; /* as in net/http.h; 0: its defaults */
};

struct registry_client; /* all hosts: connections, tokens, pauses */
int registry_client_new(struct registry_client **out, const struct registry_options *o,
			struct error *err);
void registry_client_free(struct registry_client *c);
/* Every request under way or to come ends with ERROR_CANCELLED. Any thread. */
void registry_client_stop(struct registry_client *c);

/* Tag or digest -> descriptor of the manifest or index (HEAD, GET where HEAD does not tell). ERROR_NOT_FOUND, ERROR_DENIED. */
int registry_resolve(struct registry_client *c, const struct image_ref *ref, struct descriptor *out,
		     struct error *err);
/*
 * Manifest (index: the platform's manifest too) and config into the store, no layer. *top is what the reference names,
 * *chosen the image manifest of the platform.
 */
int registry_fetch_image(struct registry_client *c, struct store *s, const struct image_ref *ref,
			 const struct platform *platform, struct descriptor *top,
			 struct descriptor *chosen, struct error *err);
/* The same of what is no image to run, so that its platform is nothing to warn of. */
int registry_fetch_documents(struct registry_client *c, struct store *s,
			     const struct image_ref *ref, const struct platform *platform,
			     struct descriptor *top, struct descriptor *chosen, struct error *err);
/* One blob into the store (nothing when it is there), resumed and verified. step: id for progress or 0. */
int registry_fetch_blob(struct registry_client *c, struct store *s, const struct image_ref *repo,
			const struct descriptor *blob, int step, struct error *err);
/*
 * The same from wherever the blob was seen before. ERROR_NOT_FOUND when no repository is known, else the failure of the last
 * one that was tried.
 */
int registry_fetch_known(struct registry_client *c, struct store *s, const struct descriptor *blob,
			 int step, struct error *err);
/*
 * A layer of the image that repo names: from there, unless the layer is known to be elsewhere only (an image that was built here,
 * and never pushed, may lack layers of its base).
 */
int registry_fetch_layer(struct registry_client *c, struct store *s, const struct image_ref *repo,
			 const struct descriptor *blob, int step, struct error *err);
/* Every layer of an image that is not in the store, so, in parallel. */
int registry_fetch_missing(struct registry_client *c, struct store *s, const struct image *image,
			   struct error *err);
/* Is the blob in that repository? One HEAD, with the rights of a pull. */
int registry_has_blob(struct registry_client *c, const struct image_ref *repo,
		      const struct descriptor *blob, bool *there, struct error *err);
/* Remembers that the blob is in that repository: to mount it from there, or to fetch it when it is needed. */
void registry_note_blob(struct registry_client *c, struct store *s, const struct image_ref *repo,
			const struct descriptor *blob);
/* All layers of an image in parallel. */
int registry_fetch_layers(struct registry_client *c, struct store *s, const struct image_ref *repo,
			  const struct image *image, struct error *err);
/* docker pull: image, layers, name in the layout. */
int registry_pull(struct registry_client *c, struct store *s, const struct image_ref *ref,
		  const struct platform *platform, struct descriptor *out, bool *changed,
		  struct error *err);

struct push_result {
	uint64_t uploaded, present, mounted; /* blobs */
	uint64_t bytes;                      /* uploaded */
	struct digest digest;                /* of what the tag names now */
	int64_t size;
};
/* Blobs, then manifest (an index: children first), then the tag. d: manifest or index in the store; every blob is checked while it is sent. */
int registry_push(struct registry_client *c, struct store *s, const struct image_ref *ref,
		  const struct descriptor *d, struct push_result *out, struct error *err);
/* The same; blobs that are not here, but known to be in a registry, pass through and do not stay in the store. */
int registry_hand_on(struct registry_client *c, struct store *s, const struct image_ref *ref,
		     const struct descriptor *d, struct push_result *out, struct error *err);
/* One blob alone, for push while building. */
int registry_push_blob(struct registry_client *c, struct store *s, const struct image_ref *ref,
		       const struct descriptor *blob, int step, struct push_result *out,
		       struct error *err);

/*
 * A blob that need not be here: is it in the repository of ref, or can the registry mount it there? *placed false: its bytes
 * have to be sent.
 */
int registry_place_blob(struct registry_client *c, struct store *s, const struct image_ref *ref,
			const struct descriptor *blob, bool *placed, struct error *err);

/*
 * skopeo copy, crane cp: what from names, an index with all it lists, under the name to; the digest stays. A blob is sent while it is still
 * fetched, and does not stay in the store, which needs room for those under way; the manifests remain until a prune. What
 * was fetched of a blob that could not be sent whole remains too, and is not fetched again by the next copy or pull.
 */
int registry_copy(struct registry_client *c, struct store *s, const struct image_ref *from,
		  const struct image_ref *to, struct push_result *out, struct error *err);
/* Every document of what from names, with all platforms, into the store; the blobs stay where they are. */
int registry_fetch_tree(struct registry_client *c, struct store *s, const struct image_ref *from,
			struct descriptor *top, struct error *err);

/*
 * Images (manifests, or indexes of several; their documents are in the store) as one index under the tag of ref. Each goes to the
 * repository first, under a tag of its own: TAG-OS-ARCH[-VARIANT]. create: these alone, in the place of what is there; else besides
 * what is there, in the place of their own platforms: any number of clients may add at the same time, and the index has all in
 * the end, since whoever comes last finds the others' tags. *index is emptied first; out describes it.
 */
int registry_index(struct registry_client *c, struct store *s, const struct image_ref *ref,
		   const struct descriptor *images, size_t n, bool create, struct descriptor *out,
		   struct image_index *index, struct error *err);

/* The tags of a repository, in the registry's order, all pages. */
int registry_tags(struct registry_client *c, const struct image_ref *ref, struct strlist *out,
		  struct error *err);
/*
 * Deletes what ref names: a tag alone, or by digest the manifest with every tag. ERROR_UNSUPPORTED where the registry does not
 * let tags be deleted: the manifest is then not deleted instead, since other tags may name it.
 */
int registry_delete(struct registry_client *c, const struct image_ref *ref, struct error *err);

/* Verifies a login by GET /v2/ (docker login). ERROR_DENIED when refused. */
int registry_check_login(struct registry_client *c, const char *host, const struct login *l,
			 struct error *err);

CLEANUP_FREE(registry_client)
