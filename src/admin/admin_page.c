// SPDX-License-Identifier: MIT
#include "admin/admin_page.h"

#include <string.h>

static const struct admin_file files[] = {
	{
		"/",
		"text/html; charset=utf-8",
#include "admin/admin_page.html.h"
	},
	{
		"/admin_page.css",
		"text/css; charset=utf-8",
#include "admin/admin_page.css.h"
	},
	{
		"/admin_strip.js",
		"text/javascript; charset=utf-8",
#include "admin/admin_strip.js.h"
	},
	{
		"/admin_page.js",
		"text/javascript; charset=utf-8",
#include "admin/admin_page.js.h"
	},
};

const struct admin_file *admin_page_file(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].path, path))
			return &files[i];
	return NULL;
}
