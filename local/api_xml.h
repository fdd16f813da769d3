/* Answers of AWS's query and EC2 protocols, written from JSON: members are elements, a list holds <member> (query) or <item> (EC2). */
#pragma once

#include "base/json.h"

/* Appends the members of an object. Texts are escaped; what XML 1.0 cannot hold becomes U+FFFD; null is left out. */
void api_xml_members(struct strbuf *out, json_t *object, const char *item);
/* Text between tags or in attributes. */
void api_xml_text(struct strbuf *out, const char *text, size_t len);
