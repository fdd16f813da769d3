#include "builder/check.h"

#include "builder/check_stage.h"
#include "builder/prepare.h"

static int look(struct build *b, struct error *err)
{
	bool all = !b->options->target || !*b->options->target;

	if (build_read(b, err) < 0 || build_plan(b, all, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n_targets; i++)
		if (check_stages(&b->targets[i], all, NULL, err) < 0)
			return -1;
	return 0;
}

int build_check(struct check_list *out, struct store *s, const struct build_options *o,
		struct error *err)
{
	AUTO(build) b;
	int result;

	build_init(&b, s, o);
	result = look(&b, err);
	if (!b.targets[0].file)
		return result;
	build_take_checks(&b, out);
	return result == 0 ? check_enforce(out, err) : -1;
}
