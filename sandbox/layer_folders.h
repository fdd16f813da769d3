/*
 * Extracted layers: layers/MODE/CHAINID/fs is the layer as a lower folder of an overlay mount, .ok beside it says that
 * it is whole. Nothing is synced when a folder is made: .ok then holds the id of the running boot and is not believed
 * after another one, since the folder can be made again from the blob. Work on a folder happens under a lock of it;
 * who uses folders holds layers/MODE/.lock shared, who removes some takes it exclusively.
 */
#pragma once

#include "sandbox/rootfs.h"
#include "sandbox/sandbox_private.h"

/* ".../layers/MODE/CHAINID/fs"; free() */
char *layer_folder(const struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain);
/* Holds off whoever removes folders, as long as the sandbox lives. */
int layer_folders_use(struct sandbox *sb, enum sandbox_mode mode, struct error *err);
/*
 * Is layer i left out of overlay mounts and never extracted? A step that changed nothing gives a layer without entries,
 * and every lower folder makes each later step dearer. The first layer never is: a mount needs one.
 */
bool layer_folder_is_void(const struct rootfs_layer *layers, size_t i);
/* Extracts what is missing; fills chains[0..n). */
int layer_folders_ensure(struct sandbox *sb, enum sandbox_mode mode,
			 const struct rootfs_layer *layers, size_t n, struct digest *chains,
			 struct error *err);
/* The folder upper becomes the one of chain, unless there is one already. */
int layer_folder_adopt(struct sandbox *sb, enum sandbox_mode mode, const struct digest *chain,
		       const char *upper, struct error *err);
