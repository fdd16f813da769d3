#include "dockerfile/chmod.h"

#include <string.h>
#include <sys/stat.h>

#include "dockerfile/value.h"

static int invalid(const char *text, struct error *err)
{
	return error_set(err, ERROR_SYNTAX,
			 "invalid chmod parameter: '%s'. it should be octal string and between 0 "
			 "and 07777, or symbolic such as u=rwX,go=rX",
			 text);
}

/* The classes before the operator. */
static mode_t parse_classes(const char **at)
{
	mode_t affected = 0;

	for (;; (*at)++) {
		if (**at == 'u')
			affected |= S_ISUID | S_IRWXU;
		else if (**at == 'g')
			affected |= S_ISGID | S_IRWXG;
		else if (**at == 'o')
			affected |= S_ISVTX | S_IRWXO;
		else if (**at == 'a')
			affected |= 07777;
		else
			return affected;
	}
}

static mode_t class_mask(char c)
{
	return c == 'u' ? S_IRWXU : c == 'g' ? S_IRWXG : c == 'o' ? S_IRWXO : 0;
}

/* The permissions behind the operator. */
static void parse_permissions(struct chmod_clause *clause, const char **at)
{
	clause->copy_from = class_mask(**at);
	if (clause->copy_from) {
		(*at)++;
		return;
	}
	for (; **at; (*at)++) {
		switch (**at) {
		case 'r':
			clause->value |= S_IRUSR | S_IRGRP | S_IROTH;
			break;
		case 'w':
			clause->value |= S_IWUSR | S_IWGRP | S_IWOTH;
			break;
		case 'x':
			clause->value |= S_IXUSR | S_IXGRP | S_IXOTH;
			break;
		case 'X':
			clause->exec_if_any = true;
			break;
		case 's':
			clause->value |= S_ISUID | S_ISGID;
			break;
		case 't':
			clause->value |= S_ISVTX;
			break;
		default:
			return;
		}
	}
}

static int parse_symbolic(struct chmod_spec *out, const char *text, struct error *err)
{
	const char *at = text;

	for (;;) {
		mode_t affected = parse_classes(&at);

		if (!*at || !strchr("+-=", *at))
			return invalid(text, err);
		while (*at && strchr("+-=", *at)) {
			struct chmod_clause *clause = &out->clauses[out->n_clauses];

			if (out->n_clauses == CHMOD_CLAUSES)
				return invalid(text, err);
			out->n_clauses++;
			clause->op = *at++;
			clause->affected = affected ? affected : 07777;
			parse_permissions(clause, &at);
		}
		if (!*at)
			return 0;
		if (*at != ',')
			return invalid(text, err);
		at++;
	}
}

int chmod_parse(struct chmod_spec *out, const char *text, struct error *err)
{
	uint64_t mode;

	memset(out, 0, sizeof(*out));
	if (value_number(&mode, text, 8, 07777)) {
		out->octal = true;
		out->mode = (mode_t)mode;
	} else if (parse_symbolic(out, text, err) < 0) {
		return -1;
	}
	out->given = true;
	return 0;
}

/* The bits of one class, spread over all three. */
static mode_t spread(mode_t mode, mode_t class)
{
	mode_t bits = mode & class;

	if (class == S_IRWXU)
		bits >>= 6;
	else if (class == S_IRWXG)
		bits >>= 3;
	return bits | bits << 3 | bits << 6;
}

static mode_t apply_clause(const struct chmod_clause *clause, mode_t mode, bool is_dir)
{
	/* A folder keeps setuid and setgid unless they are named, as chmod(1) has it. */
	mode_t kept = is_dir ? (S_ISUID | S_ISGID) & ~clause->value : 0;
	mode_t value = clause->value;

	if (clause->copy_from)
		value = spread(mode, clause->copy_from);
	if (clause->exec_if_any && (is_dir || (mode & 0111)))
		value |= 0111;
	value &= clause->affected & ~kept;
	if (clause->op == '+')
		return mode | value;
	if (clause->op == '-')
		return mode & ~value;
	return (mode & (~clause->affected | kept)) | value;
}

mode_t chmod_apply(const struct chmod_spec *spec, mode_t mode, bool is_dir)
{
	int i;

	if (spec->octal)
		return spec->mode;
	mode &= 07777;
	for (i = 0; i < spec->n_clauses; i++)
		mode = apply_clause(&spec->clauses[i], mode, is_dir);
	return mode;
}
