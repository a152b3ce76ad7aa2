// Before anything is drawn: the colours that the reader chose. A plain script, for modules come too late.
(() => {
  try {
    const chosen = localStorage.getItem("offbeat.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* no storage: the system's colours */ }
})();
