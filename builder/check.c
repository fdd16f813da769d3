#include "builder/check.h"

#include <string.h>

#include "builder/check_stage.h"
#include "builder/prepare.h"

static int look(struct build *b, struct error *err)
{
	bool all = !b->options->target || !*b->options->target;

	if (build_read(b, err) < 0 || build_plan(b, all, err) < 0)
		return -1;
	return check_stages(b, all, err);
}

int build_check(struct check_list *out, struct store *s, const struct build_options *o,
		struct error *err)
{
	AUTO(build) b;
	int result;

	build_init(&b, s, o);
	result = look(&b, err);
	if (!b.file)
		return result;
	check_finish(&b.file->warnings);
	if (result == 0)
		result = check_enforce(&b.file->warnings, err);
	check_list_release(out);
	*out = b.file->warnings;
	memset(&b.file->warnings, 0, sizeof(b.file->warnings));
	return result;
}
