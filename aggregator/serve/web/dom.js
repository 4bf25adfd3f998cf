// SPDX-License-Identifier: Apache-2.0
//
// dom - elements described by plain objects, and the changes that turn what is shown into what is
// described. What stays the same is not touched, so focus, scrolling and selections stay.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "rect", "line", "polyline", "g"]);

// An element. Properties: "on..." are listeners, "key" tells siblings apart, "mount", "update" and
// "unmount" are functions of an element whose inside is theirs; all else are attributes, of which
// null and false mean none.
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

const OURS = new Set(["key", "mount", "update", "unmount", "width%"]);

function apply(el, v) {
	const before = el.described?.props ?? {};
	for (const name in before)
		if (!(name in v.props) && !OURS.has(name))
			setProp(el, name, null, before[name]);
	if (!v.props.mount)
		patch(el, v.kids);
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
	return node?.described?.tag === v.tag && node.described.props.key === v.props.key;
}

function keyed(el) {
	const nodes = new Map();
	for (const node of el.childNodes)
		if (node.described?.props.key !== undefined)
			nodes.set(node.described.props.key, node);
	return nodes;
}

// Make the children of el those described.
export function patch(el, kids) {
	const byKey = keyed(el);
	let at = el.firstChild;
	for (const v of kids) {
		let node;
		if (typeof v !== "object") {
			const text = String(v);
			node = at?.nodeType === Node.TEXT_NODE ? at : document.createTextNode(text);
			if (node.data !== text)
				node.data = text;
		} else {
			const have = v.props.key !== undefined ? byKey.get(v.props.key) : at;
			node = same(have, v) ? have : create(v);
			if (node === have)
				apply(node, v);
		}
		if (node !== at)
			el.insertBefore(node, at);
		at = node.nextSibling;
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
