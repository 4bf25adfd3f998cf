// SPDX-License-Identifier: Apache-2.0
//
// dom - elements described by plain objects, and the changes that turn what is shown into what is
// described. What stays the same is not touched, so focus, scrolling and selections stay.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "rect", "line", "polyline", "g"]);

// An element. Properties: "on..." are listeners, "key" tells siblings apart, "mount", "update" and
// "unmount" are functions of an element whose inside is theirs, "recycle" lets children with keys, all
// of one tag, become one another, which is far cheaper than new ones; all else are attributes, of
// which null and false mean none.
export function h(tag, props, ...kids) {
	return { tag, props: props ?? {}, kids: kids.flat(Infinity).filter(shown) };
}

function shown(kid) {
	return kid !== null && kid !== undefined && kid !== false && kid !== "";
}

function setProp(el, name, value, before) {
	if (name.startsWith("on")) {
		el[name.toLowerCase()] = value ?? null;
		return;
	}
	if (name === "value") {
		if (el.value !== value)
			el.value = value;
		return;
	}
	if (value === before)
		return;
	if (value === null || value === undefined || value === false)
		el.removeAttribute(name);
	else
		el.setAttribute(name, value === true ? "" : String(value));
}

// Functions to call once everything has its place in the page.
let updates = [];

const OURS = new Set(["key", "mount", "update", "unmount", "recycle", "width%"]);

function apply(el, v) {
	const before = el.described?.props ?? {};
	for (const name in before)
		if (!(name in v.props) && !OURS.has(name))
			setProp(el, name, null, before[name]);
	if (!v.props.mount)
		patch(el, v.kids, v.props.recycle);
	for (const name in v.props)
		if (!OURS.has(name))
			setProp(el, name, v.props[name], before[name]);
	// A style attribute would be inline style, which the page's policy forbids.
	if ("width%" in v.props)
		el.style.inlineSize = `${v.props["width%"]}%`;
	el.described = v;
	if (v.props.update)
		updates.push([v.props.update, el]);
}

function create(v) {
	const el = SVG_TAGS.has(v.tag)
		? document.createElementNS(SVG, v.tag) : document.createElement(v.tag);
	v.props.mount?.(el);
	apply(el, v);
	return el;
}

function discard(node) {
	if (node.nodeType === Node.ELEMENT_NODE) {
		node.described?.props.unmount?.(node);
		for (const kid of node.childNodes)
			discard(kid);
	}
}

function same(node, v) {
	const before = node?.described;
	return before?.tag === v.tag && before.props.key === v.props.key && !before.props.mount === !v.props.mount;
}

// The children of el that have keys, and of those the ones that are not described any more: where rows
// are recycled they become what is missing. What has the focus stays itself.
function keyed(el, kids, recycle) {
	const wanted = new Set(recycle ? kids.map((v) => v.props?.key) : []);
	const nodes = new Map();
	const spare = [];
	for (const node of el.childNodes) {
		const key = node.described?.props.key;
		if (key === undefined)
			continue;
		nodes.set(key, node);
		if (recycle && !wanted.has(key) && !node.contains(document.activeElement))
			spare.push(node);
	}
	return { nodes, spare };
}

// The node for v: the one that shows it already, another one made into it, or a new one.
function nodeFor(v, at, { nodes, spare }) {
	const { key } = v.props;
	const have = key === undefined ? at : nodes.get(key);
	const node = same(have, v) ? have : key === undefined ? undefined : spare.pop();
	if (!node)
		return create(v);
	apply(node, v);
	return node;
}

function textFor(text, at) {
	const node = at?.nodeType === Node.TEXT_NODE ? at : document.createTextNode(text);
	if (node.data !== text)
		node.data = text;
	return node;
}

// Make the children of el those described.
function patch(el, kids, recycle) {
	const have = keyed(el, kids, recycle);
	let at = el.firstChild;
	for (const v of kids) {
		const node = typeof v === "object" ? nodeFor(v, at, have) : textFor(String(v), at);
		if (node === at)
			at = at.nextSibling;
		else
			el.insertBefore(node, at);
	}
	while (at) {
		const next = at.nextSibling;
		discard(at);
		at.remove();
		at = next;
	}
}

// The same for the whole page: what had the focus keeps it, also when its row has moved.
export function render(el, kids) {
	const focused = document.activeElement;
	patch(el, kids);
	const due = updates;
	updates = [];
	for (const [update, of] of due)
		update(of);
	if (focused && focused !== document.activeElement && focused.isConnected)
		focused.focus({ preventScroll: true });
}
