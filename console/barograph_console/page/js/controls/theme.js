// The theme is set before anything is painted, so that the page does not flash; hence a script that blocks.
{
  const asked = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem("barograph.theme");
  if (asked === "light" || asked === "dark") document.documentElement.dataset.theme = asked;
  if (new URLSearchParams(location.search).get("view") === "wall") document.documentElement.dataset.view = "wall";
}
