/*
 * The C locale for the calling thread while libarchive works: it translates names from and to the character set
 * of the locale, and a layer must be the same bytes, and give the same names, under every locale. In the C locale
 * a name beyond ASCII has no translation, so that its bytes are taken as they are (written: hdrcharset=BINARY).
 *
 *	AUTO(locale_scope) scope = {0};
 *	locale_scope_enter(&scope);
 */
#pragma once

#include <locale.h>

#include "base/cleanup.h"

struct locale_scope {
	locale_t plain, before;
};

static inline void locale_scope_enter(struct locale_scope *s)
{
	s->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	s->before = s->plain ? uselocale(s->plain) : (locale_t)0;
}

static inline void locale_scope_release(const struct locale_scope *s)
{
	if (s->before)
		uselocale(s->before);
	if (s->plain)
		freelocale(s->plain);
}

CLEANUP_RELEASE(locale_scope)
