import { ActionIcon, Drawer, Menu, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import {
  IconAdjustments,
  IconBrush,
  IconCpu,
  IconLayoutGrid,
  IconMenu2,
  IconMoon,
  IconPhotoDown,
  IconPlug,
  IconSun,
  IconWand,
} from "@tabler/icons-react";
import { Link, useRoute } from "wouter";
import { base } from "../base.ts";
import { ConnectionBanner } from "./connectionBanner.tsx";
import { JobsButton } from "./jobsButton.tsx";
import classes from "./shell.module.css";

const places = [
  { label: "Library", to: "/", match: "/", icon: IconLayoutGrid },
  { label: "Drop", to: "/drop", match: "/drop", icon: IconPhotoDown },
  { label: "Generate", to: "/generate", match: "/generate/:job?", icon: IconBrush },
  { label: "Refine", to: "/refine", match: "/refine/:job?", icon: IconWand },
  { label: "Models", to: "/models", match: "/models", icon: IconCpu },
  { label: "Hosts", to: "/hosts", match: "/hosts", icon: IconPlug },
  { label: "Settings", to: "/settings", match: "/settings", icon: IconAdjustments },
];

export function Header() {
  const wide = useMediaQuery("(min-width: 62em)", undefined, { getInitialValueInEffect: false });
  return (
    <>
      <header className={classes.header}>
        {!wide && <PagesMenu />}
        <Link href="/" className={classes.brand} aria-label="Renoir, to the library">
          <img src={`${base}/icon.svg`} alt="" width={26} height={26} />
          Renoir
        </Link>
        {wide ? (
          <nav aria-label="Pages" className={classes.links}>
            <Links />
          </nav>
        ) : (
          <div className={classes.spacer} />
        )}
        <JobsButton />
        <SchemeMenu />
      </header>
      <ConnectionBanner />
    </>
  );
}

function Links({ onFollow }: { onFollow?: () => void }) {
  return places.map((place) => <PlaceLink key={place.to} {...place} onFollow={onFollow} />);
}

function PlaceLink({ label, to, match, icon: Icon, onFollow }: (typeof places)[number] & { onFollow?: () => void }) {
  const [here] = useRoute(match);
  return (
    <Link href={to} className={classes.link} aria-current={here ? "page" : undefined} onClick={onFollow}>
      <Icon size={18} stroke={1.75} aria-hidden />
      {label}
    </Link>
  );
}

function PagesMenu() {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label="Open the menu"
        aria-expanded={opened}
        onClick={open}
      >
        <IconMenu2 size={22} aria-hidden />
      </ActionIcon>
      <Drawer opened={opened} onClose={close} title="Renoir" size="16rem">
        <nav aria-label="Pages">
          <Links onFollow={close} />
        </nav>
      </Drawer>
    </>
  );
}

const schemes = { auto: "As the system", light: "Light", dark: "Dark" };

function SchemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Icon = useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark" ? IconMoon : IconSun;
  return (
    <Menu position="bottom-end" shadow="md" withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Colours">
          <Icon size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={colorScheme} onChange={(scheme) => setColorScheme(scheme as keyof typeof schemes)}>
          {Object.entries(schemes).map(([scheme, label]) => (
            <Menu.RadioItem key={scheme} value={scheme} closeMenuOnClick>
              {label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}
