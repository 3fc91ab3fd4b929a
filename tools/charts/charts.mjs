// The parts of ECharts that the report uses. SVG: sharp in print and at any zoom, and readable by tests.
import * as echarts from "echarts/core";
import { BarChart, HeatmapChart, TreemapChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  BarChart, HeatmapChart, TreemapChart, AriaComponent, GridComponent, LegendComponent, MarkLineComponent,
  TooltipComponent, VisualMapContinuousComponent, SVGRenderer,
]);

export const { init, version } = echarts;
