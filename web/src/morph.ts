/**
 * Makes the children of one element equal to those of another while it keeps the nodes that are equal already: text
 * that grows stays selected, and what was read stays where it was.
 */
export function morph(current: Element, wanted: Node): void {
  const given = [...wanted.childNodes]
  for (const [i, next] of given.entries()) {
    const node = current.childNodes[i]
    if (!node) current.append(next)
    else if (!adopt(node, next)) current.replaceChild(next, node)
  }
  while (current.childNodes.length > given.length) current.lastChild!.remove()
}

/** Changes `node` into `next`, where they are of one kind. */
function adopt(node: ChildNode, next: ChildNode): boolean {
  if (node instanceof Text && next instanceof Text) {
    const { data } = next
    if (data === node.data) return true
    // Appending leaves a selection alone; setting the whole would not.
    if (data.startsWith(node.data)) node.appendData(data.slice(node.data.length))
    else node.data = data
    return true
  }
  if (!(node instanceof Element && next instanceof Element) || node.localName !== next.localName) return false
  for (const name of node.getAttributeNames()) if (!next.hasAttribute(name)) node.removeAttribute(name)
  for (const { name, value } of next.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value)
  morph(node, next)
  return true
}
