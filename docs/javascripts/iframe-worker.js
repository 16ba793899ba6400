// Browsers start no worker from a page that was opened as a file. There the search runs in a hidden frame of the page.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.scope = frame.contentWindow;
      this.scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = frame.contentDocument.createElement("script");
      script.src = url;
      script.onload = () => { this.ready = true; this.waiting.forEach((data) => this.send(data)); };
      frame.contentDocument.body.append(script);
    }
    postMessage(data) { this.ready ? this.send(data) : this.waiting.push(data); }
    send(data) { this.scope.dispatchEvent(new MessageEvent("message", { data })); }
    terminate() { this.scope.frameElement.remove(); }
  };
  window.Worker = window.IFrameWorker;
}
