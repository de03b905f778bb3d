// SPDX-License-Identifier: MIT
/* libelf.a of elfutils 0.192, Debian 13's, calls two functions that it does not contain. They keep
 * a tree of the chunks that elf_getdata_rawchunk() returned, which nothing here calls. */
void eu_search_tree_init(void *tree, int (*compare)(const void *, const void *));
void eu_search_tree_fini(void *tree, void (*free_node)(void *));

__attribute__((weak, visibility("hidden"))) void eu_search_tree_init(void *tree,
								     int (*compare)(const void *,
										    const void *))
{
	(void)tree;
	(void)compare;
}

__attribute__((weak, visibility("hidden"))) void eu_search_tree_fini(void *tree,
								     void (*free_node)(void *))
{
	(void)tree;
	(void)free_node;
}
