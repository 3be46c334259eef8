"use strict";
// A heading of a table becomes a button that sorts by its column; numbers first fall.
for (const table of document.querySelectorAll("table:not(.dense)")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent || "name";
    heading.replaceChildren(button);
    button.addEventListener("click", () => sort(table, body, heading, column));
  });
}

function sort(table, body, heading, column) {
  const rows = Array.from(body.rows);
  const numbers = rows.some((row) => "value" in row.cells[column].dataset);
  const before = heading.getAttribute("aria-sort");
  const down = before ? before === "ascending" : numbers;
  const key = (row) => {
    const cell = row.cells[column];
    return numbers ? parseFloat(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (!numbers) return down ? b.localeCompare(a) : a.localeCompare(b);
    if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b); // what has no number comes last
    return down ? b - a : a - b;
  };
  body.replaceChildren(...rows.sort(compare));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
}
