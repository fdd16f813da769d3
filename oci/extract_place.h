/*
 * Where an entry of a layer really goes while the layer is extracted. Parents resolve component by component: in the folder being
 * filled, and where it has nothing yet, in the merged view of the layers below; symbolic links of either are followed inside the root. A parent
 * that only exists below is made here with the metadata it has there.
 */
#pragma once

#include "oci/extract.h"

struct place_finish {
	char *path;
	mode_t mode;
	int64_t mtime;
	size_t index; /* order of the notes: the last one of a path counts */
};

struct places {
	int root; /* the caller's */
	struct tree *below;
	const struct extract_options *o;
	/* the folder of the entry before */
	char *last_dir, *last_real;
	int last_fd;
	struct place_finish *finish;
	size_t n_finish, cap_finish;
	struct strmap ours; /* flat: real paths that this layer made */
};

struct place {
	int fd; /* of the folder; -1: the folder does not exist */
	bool owned;
	char *name; /* in it; "." for the root */
	char *real; /* path from the root, links resolved; "" for the root */
};

#define PLACE_INIT       \
	{                \
		.fd = -1 \
	}

void places_init(struct places *p, int root, struct tree *below, const struct extract_options *o);
void places_release(struct places *p);
/* A folder of the present path was replaced. */
void places_forget(struct places *p);

/* The place of path, its parents made when missing. ERROR_CORRUPT when a parent is a file of this layer, or links loop. */
int place_make(struct places *p, const char *path, struct place *out, struct error *err);
/* The same for a folder that is made itself when missing; "" is the root. */
int place_make_folder(struct places *p, const char *path, struct place *out, struct error *err);
/* Makes nothing: fd is -1 when a parent does not exist here. */
int place_find(struct places *p, const char *path, struct place *out, struct error *err);
bool place_is_below(struct places *p, const char *path);
void place_release(struct place *p);

int places_mark_opaque(struct places *p, const struct place *folder, struct error *err);
/* Flat: removes what is in the folder and not of this layer. */
int places_empty(struct places *p, const struct place *folder, struct error *err);
void places_note_ours(struct places *p, const char *real);
bool places_is_ours(const struct places *p, const char *real);
/* Mode and time of a folder, set by places_finish() when all is in it. */
void places_finish_later(struct places *p, const char *real, mode_t mode, int64_t mtime);
int places_finish(struct places *p, struct error *err);

CLEANUP_RELEASE(place)
