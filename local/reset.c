/* What "slipway local reset" does. */
#include <fcntl.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "local/local.h"
#include "oci/repository.h"

int local_reset(const char *folder, struct store *store, struct error *err)
{
	AUTO_FREE char *path = path_join(folder, STATE_FOLDER);
	AUTO_PTR(state) state = NULL;
	const char *name;
	json_t *repository;
	int r = 0;

	/* Held open until the end: nobody starts on what is half gone. */
	if (state_open(&state, path, err) < 0)
		return -1;
	state_lock(state);
	json_object_foreach (state_all(state, STATE_REPOSITORIES), name, repository)
		if (r == 0)
			r = repository_remove(store, name, err);
	state_unlock(state);
	return r < 0 ? r : fs_remove_tree(AT_FDCWD, folder, err);
}
