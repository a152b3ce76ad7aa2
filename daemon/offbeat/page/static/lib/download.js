// What is shown, as a file.

/** *rows* of values under *names* as a CSV file; RFC 4180. A text that a spreadsheet would run as a formula is quoted. */
export function saveCsv(name, names, rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  save(`${safe(name)}.csv`, new Blob([[names, ...rows].map((row) => row.map(cell).join(",")).join("\r\n"), "\r\n"],
    { type: "text/csv" }));
}

/** A name that is one on any disk. */
export function safe(name) {
  return name.replace(/[^\w.-]+/g, "_").slice(0, 100) || "offbeat";
}

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
