import { defineConfig } from "vite";
import { provinces } from "./provinces.ts";

const gwbank = process.env["GWBANK_SERVER"] ?? "http://127.0.0.1:8080";
const proxy = Object.fromEntries(["/api", "/feeds", "/metrics"].map((path) => [path, { target: gwbank, changeOrigin: false }]));

export default defineConfig({
  plugins: [provinces()],
  build: {
    outDir: "../built",
    emptyOutDir: true,
    // The server's policy permits no data: URLs of scripts or styles, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 700,
  },
  // A gwbank that runs beside: `npm run dev`, or `npm run preview` for what was built.
  server: { proxy },
  preview: { proxy },
});
