// Draws one strip or heatmap in colours of its own, and tells which pixels hold which ink.
// The canvas is 220 wide and 100 high; the plot begins at 20 and ends at 220, so that a point of ten is 20 wide.
async (o) => {
  const { TimeAxis } = await import("/static/js/charts/axis.js");
  const { forgetInks } = await import("/static/js/charts/paper.js");
  const { Strip } = await import("/static/js/charts/strip.js");
  const { Heat } = await import("/static/js/charts/heat.js");
  const { Times } = await import("/static/js/words/times.js");
  const colours = {
    err: "#ff0000", p95: "#0000ff", accent: "#00ff00", error: "#ff00ff", "ink-3": "#123456",
    "heat-0": "#0000ff", "heat-1": "#0000ee", "heat-2": "#0000bb", "heat-3": "#000088", "heat-4": "#000044", "heat-5": "#000001",
  };
  for (const [name, ink] of Object.entries(colours)) document.documentElement.style.setProperty(`--${name}`, ink);
  forgetInks();
  const [width, step_ms, from_ms] = [o.width ?? 220, o.step_ms ?? 1000, o.from_ms ?? 0];
  const canvas = document.createElement("canvas");
  canvas.style.cssText = `position: absolute; left: 0; top: 0; width: ${width}px; height: 100px`;
  document.body.replaceChildren(canvas);
  const values = Float64Array.from(o.values, (value) => value ?? NaN);
  const axis = Object.assign(new TimeAxis(), { from_ms, to_ms: from_ms + values.length * step_ms, width, gutter: 20, right: 0 });
  const columns = {
    from_ms, step_ms, is_open: o.is_open ?? false, now_ms: 0, values: { v: values }, tints: [], flags: o.flags ?? [],
    missing: Float64Array.from(values, (_, i) => ((o.missing ?? []).includes(i) ? 1 : 0)), limits: o.limits ?? [],
    times: new Times(o.tz ?? "UTC"),
  };
  const strip = new Strip(canvas, axis, { scale: o.scale ?? "count", lines: [{ key: "v", ink: "err", width: 2 }] });
  if (o.heat) new Heat(canvas, axis).set({ ...columns, heat: o.heat, row0: 0 });
  else strip.set(columns);
  if (o.resized) {
    axis.width = o.resized;
    canvas.style.width = `${o.resized}px`;
    strip.paper.measure();
    strip.draw();
  }

  const isInk = {
    red: (r, g, b, a) => a > 120 && r > 180 && g < 60 && b < 60,
    green: (r, g, b, a) => a > 60 && g > 150 && r < 60,
    purple: (r, g, b, a) => a > 60 && r > 150 && b > 150 && g < 60,
    grey: (r, g, b, a) => a > 40 && r < 60 && g < 90 && b < 130 && b > 40,
    cell: (r, g, b, a) => a === 255 && r === 0 && g === 0,
  }[o.ink ?? "red"];
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const [found, rows] = [{}, {}];
  for (let y = 0; y < canvas.height; y += 1) {
    for (let x = 0; x < canvas.width; x += 1) {
      const i = (y * canvas.width + x) * 4;
      if (!isInk(data[i], data[i + 1], data[i + 2], data[i + 3])) continue;
      (found[x] ??= []).push(y);
      rows[y] = (rows[y] ?? 0) + 1;
    }
  }
  return { width: canvas.width, height: canvas.height, columns: found, rows, ticks: axis.ticks(columns.times) };
}
