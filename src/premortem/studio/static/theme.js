/* Before anything is painted: the theme that was chosen last. */
"use strict";
{
  const chosen = localStorage.getItem("premortem-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
