/** The inspector's own site. Its page runs in the developer's browser, and is handed what is shown there. */
const INSPECTOR_ORIGIN = 'https://stately.ai';

/**
 * The page to open: Stately's inspector in a frame, a line for who does not get there and would see nothing at all, and a script that hands it what the relay sends. The inspector says
 * when it is ready, and again after it was reloaded; each time it is told everything from the start.
 */
export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Inspector: message broker</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark }
  body { margin: 0; height: 100vh; display: flex; flex-direction: column }
  p { margin: 4px 8px; font: 13px system-ui, sans-serif }
  iframe { flex: 1; border: 0 }
</style>
<p>This page needs ${INSPECTOR_ORIGIN}, which shows what is sent from here.</p>
<iframe title="Stately inspector" src="${INSPECTOR_ORIGIN}/inspect"></iframe>
<script>
  const inspector = document.querySelector('iframe').contentWindow;
  let relay;
  addEventListener('message', ({ source, origin, data }) => {
    if (source !== inspector || origin !== '${INSPECTOR_ORIGIN}' || data?.type !== '@statelyai.connected') return;
    relay?.close();
    relay = new WebSocket('ws://' + location.host);
    relay.onmessage = ({ data }) => inspector.postMessage(JSON.parse(data), origin);
  });
</script>
</html>
`;
